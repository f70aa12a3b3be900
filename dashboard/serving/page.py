"""The page around the views: theme, template and what the browser is told to fetch early."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import panel as pn
import panel_material_ui as pmui
from bokeh.document import Document
from bokeh.models import ImportedStyleSheet
from panel.io.document import with_lock
from panel.io.resources import LOCAL_DIST, patch_stylesheet
from panel.reactive import Reactive
from panel_material_ui.template.base import BASE_TEMPLATE

from dashboard.components import bundle
from dashboard.serving import outbox
from xrfengine.assets import asset

NAME = "Elementscope"
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif'

outbox.install()

# A message of the browser that comes within 50 ms of a changed value, as at a double click, is
# handled by Panel without the document's lock, and with it that value's change: Bokeh then refuses
# every change of a figure, and half of the views do not follow.
Reactive._event_coroutine = with_lock(Reactive._event_coroutine)

_UNUSED = re.compile(
    r"<(script|link)[^>]*(?:datatabulator|bokeh-gl)[^>]*>(?:</script>)?\s*", re.IGNORECASE
)
"""Code of tables and of WebGL, which Panel loads whether or not a page has any: 0.7 MB."""


def _without_unused(tags: str) -> str:
    return _UNUSED.sub("", tags)


_TEMPLATE = BASE_TEMPLATE.environment.from_string("""{% extends "base.html" %}
{% block preamble %}{{ super() }}
{#- Scripts are imported as they are: the shim would fetch and parse each again, uncached. #}
<script type="esms-options">{"shimMode": false}</script>
{%- if widgets_js %}
<link rel="modulepreload" href="{{ widgets_js }}">
{%- endif %}
<link rel="modulepreload" href="{{ components_js }}">
{%- endblock %}
{% block css_resources %}{{ lean(bokeh_css) if bokeh_css }}{% endblock %}
{% block js_resources %}{{ lean(bokeh_js) if bokeh_js }}
{#- No component here has an import map; Panel declares an empty one for each, in vain. #}
<script>if (window.importShim) importShim.addImportMap = () => {}</script>
<script>{{ one_layout }}</script>
{% endblock %}
{% block loader_css %}
#loader { position: fixed; inset: 0; display: none; place-content: center; pointer-events: none; }
.spinner { display: none; }
#loader-error { display: none; max-width: 480px; padding: 12px 20px; border-radius: 4px;
  font: 16px/1.5 system-ui, sans-serif; color: #17211f; background: #fff;
  border: 1px solid #b3261e; }
{% endblock %}
""")
"""Panes show their own states; the page's loader, a dark veil over everything, is left out but for
its errors."""


_ONE_LAYOUT = """{
  // Whenever a component changes its size, Bokeh measures the whole page: forty times in a row
  // while a page appears, nearly half a second. Their sizes are the style sheet's affair; one
  // measuring in the next frame tells the figures.
  const views = Bokeh.Models.get("panel.models.esm.ReactiveESM").prototype.default_view.prototype
  const due = new Set()
  views._after_resize = function () {
    const root = this.root
    if (due.has(root)) return
    due.add(root)
    requestAnimationFrame(() => { due.delete(root); root.compute_layout() })
  }
}"""


def _palette(main: str, contrast: str, paper: str, ground: str, divider: str,
             text: str, muted: str) -> dict[str, Any]:  # fmt: skip
    return {
        "palette": {
            "primary": {"main": main, "contrastText": contrast},
            "background": {"default": ground, "paper": paper},
            "divider": divider,
            "text": {"primary": text, "secondary": muted},
        },
        "typography": {"fontFamily": FONT, "fontSize": 14},
        "shape": {"borderRadius": 4},
        "components": {
            "MuiAppBar": {
                "defaultProps": {"elevation": 0},
                "styleOverrides": {
                    "root": {
                        "backgroundColor": paper,
                        "backgroundImage": "none",
                        "color": text,
                        "borderBottom": f"1px solid {divider}",
                        "height": "48px",
                        "overflow": "hidden",
                    }
                },
            },
            "MuiToolbar": {
                "styleOverrides": {
                    "root": {
                        "minHeight": "47px !important",
                        "height": "47px",
                        "margin": "0 !important",
                        "padding": "0 12px 0 16px !important",
                    }
                }
            },
            "MuiOutlinedInput": {
                "styleOverrides": {
                    "root": {"height": "32px", "fontSize": "13px"},
                    "notchedOutline": {"top": 0, "& legend": {"display": "none"}},
                }
            },
            # The page's own heading is ours, in the bar; the template's stays empty.
            "MuiTypography": {"defaultProps": {"variantMapping": {"h5": "div"}}},
            "MuiLinearProgress": {"defaultProps": {"aria-label": "Busy"}},
            "MuiMenuItem": {"styleOverrides": {"root": {"fontSize": "13px"}}},
            "MuiToggleButton": {
                "styleOverrides": {"root": {"textTransform": "none", "padding": "2px 10px"}}
            },
        },
    }


THEME = {
    "light": _palette("#0b6e6e", "#ffffff", "#ffffff", "#f4f6f6", "#dde3e2", "#17211f", "#566360"),
    "dark": _palette("#4fc0b5", "#08211f", "#141a1a", "#0d1111", "#2a3433", "#e6edeb", "#9badaa"),
}


_STYLE = ("page", "stages", "spectrum", "groups")
"""Files in ``assets/style``, in the order in which they override one another."""


class AppPage(pmui.Page):
    """A page that does not follow the server's "busy".

    Every callback of every visitor turns the server busy and idle again, and a page that follows
    is searched from end to end at each turn: that took two thirds of the server's time while a
    page loaded. And what watches the process-wide state is kept alive by it.
    """

    def __init__(self, **params: Any) -> None:
        before = set(_watchers_of_busy())
        super().__init__(**params)
        for watcher in set(_watchers_of_busy()) - before:
            pn.state.param.unwatch(watcher)

    def server_doc(
        self, doc: Document | None = None, title: str | None = None, location: Any = True
    ) -> Document:
        """The document, whose head names the widgets' code so that the browser fetches it early."""
        doc = super().server_doc(doc, title, location)
        # Panel does this for the page it answers with; ours may have been kept from before.
        dist_url = f"{pn.state.rel_path}/{LOCAL_DIST}" if pn.state.rel_path else LOCAL_DIST
        doc.template_variables["dist_url"] = dist_url
        for model in doc.models:
            if isinstance(model, ImportedStyleSheet):
                patch_stylesheet(model, dist_url)
        doc.template_variables["lean"] = _without_unused
        doc.template_variables["one_layout"] = _ONE_LAYOUT
        doc.template_variables["components_js"] = bundle.url(pn.state.rel_path)
        doc.template_variables["widgets_js"] = next(
            (root.esm for root in doc.roots if getattr(root, "bundle", None) == "url"), None
        )
        return doc


def _watchers_of_busy() -> list:
    return list(pn.state.param.watchers.get("busy", {}).get("value", ()))


@cache
def _style() -> str:
    """The look of the page, in one piece: components find it by its first words."""
    return "".join((asset("style") / f"{name}.css").read_text(encoding="utf-8") for name in _STYLE)


def page(header: list, main: list, *, dark: bool) -> AppPage:
    """The page around a header and a main part."""
    return AppPage(
        header=header,
        main=main,
        meta_title=f"{NAME}: which element is where",
        favicon=asset("logo.svg"),
        theme_config=THEME,
        dark_theme=dark,
        busy_indicator=None,
        template=_TEMPLATE,
        raw_css=[_style()],
    )
