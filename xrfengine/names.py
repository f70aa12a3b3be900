"""English names of the elements, by atomic number; for words on screen and paper only."""

from __future__ import annotations

from xrfengine.lines import SYMBOLS

_NAMES = """
hydrogen helium lithium beryllium boron carbon nitrogen oxygen fluorine neon sodium
magnesium aluminium silicon phosphorus sulfur chlorine argon potassium calcium scandium
titanium vanadium chromium manganese iron cobalt nickel copper zinc gallium germanium
arsenic selenium bromine krypton rubidium strontium yttrium zirconium niobium molybdenum
technetium ruthenium rhodium palladium silver cadmium indium tin antimony tellurium iodine
xenon caesium barium lanthanum cerium praseodymium neodymium promethium samarium europium
gadolinium terbium dysprosium holmium erbium thulium ytterbium lutetium hafnium tantalum
tungsten rhenium osmium iridium platinum gold mercury thallium lead bismuth polonium
astatine radon francium radium actinium thorium protactinium uranium
"""

_BY_SYMBOL = dict(zip(SYMBOLS[1:], _NAMES.split(), strict=False))


def element_name(symbol: str) -> str:
    """``"Iron"`` for ``"Fe"``; the symbol itself where there is no name."""
    return _BY_SYMBOL.get(symbol, symbol).capitalize()
