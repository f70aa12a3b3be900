"""What a method is worth on measured spectra of known content."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from xrfengine.classifier.predict import Classifier
from xrfengine.classifier.scores import (
    average_precision,
)
from xrfengine.cube import Calibration, Cube, Spectrum
from xrfengine.errors import ReadError, SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress
from xrfengine.lines import INSTRUMENT_ELEMENTS

Domain = Literal["xray", "sem"]

_COLUMNS = ("file", "kind", "domain", "use", "certain", "plausible", "instrument_lines")


@dataclass(frozen=True)
class Verdict:
    """What a method says of one element in one spectrum: higher score, surer."""

    score: float
    present: bool


Classify = Callable[[Spectrum], Mapping[str, Verdict]]
"""Any method, ours or a peer's: a spectrum in, a verdict for each element it knows out."""


def verdicts_of(classifier: Classifier) -> Classify:
    """A classifier as a method that :func:`score_labels` can score."""

    def classify(spectrum: Spectrum) -> Mapping[str, Verdict]:
        found = classifier.probabilities(spectrum.counts[None], spectrum.calibration)[0]
        return {
            element: Verdict(float(p), bool(p >= threshold))
            for element, p, threshold in zip(
                classifier.elements, found, classifier.thresholds_at(spectrum.total), strict=True
            )
        }

    return classify


@dataclass(frozen=True)
class LabelledFile:
    """One row of a table of labels; see :func:`read_labels`."""

    file: str
    domain: str
    use: str
    group: str
    certain: frozenset[str]
    ignored: frozenset[str]
    calibration: Calibration | None


def read_labels(path: Path) -> tuple[LabelledFile, ...]:
    """Read a CSV table of labelled files.

    Columns: ``file`` (relative to the table), ``kind``, ``domain``, ``use``, ``certain``,
    ``plausible``, ``instrument_lines`` (symbols apart by blanks); others are optional.

    Raises
    ------
    ReadError
        If the table is missing, is no such table, or names an element that does not exist.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReadError(f"the labels {path} cannot be read ({error})", "Give a CSV file.") from (
            error
        )
    missing = [c for c in _COLUMNS if not rows or c not in rows[0]]
    if missing:
        raise ReadError(
            f"{path} is no table of labels: it lacks {', '.join(missing)}",
            f"Needed are rows with the columns {', '.join(_COLUMNS)}.",
        )
    return tuple(_labelled(row, path) for row in rows)


def _labelled(row: dict[str, str], path: Path) -> LabelledFile:
    from xrfengine.lines import atomic_number

    def symbols(column: str) -> frozenset[str]:
        names = frozenset((row[column] or "").split())
        for name in names:
            try:
                atomic_number(name)
            except SettingsError as error:
                raise ReadError(
                    f"{path} lists {name!r} as {column} for {row['file']}, which is no element",
                    "Symbols are set apart by blanks.",
                ) from error
        return names

    calibration = None
    if row.get("offset_keV") and row.get("gain_keV"):
        try:
            calibration = Calibration(float(row["offset_keV"]), float(row["gain_keV"]))
        except ValueError as error:
            raise ReadError(
                f"{path}: the calibration of {row['file']} is no number", "Mend the row."
            ) from error
    return LabelledFile(
        file=row["file"],
        domain=row["domain"],
        use=row["use"],
        group=row.get("group", ""),
        certain=symbols("certain"),
        ignored=symbols("plausible") | symbols("instrument_lines") | set(INSTRUMENT_ELEMENTS),
        calibration=calibration,
    )


def labelled_spectrum(entry: LabelledFile, folder: Path) -> Spectrum:
    """The spectrum of a labelled file; of a cube the sum, with the calibration of the table.

    Raises
    ------
    XRFError
        If the file cannot be read.
    """
    from xrfengine.readers import read

    content = read(Path(folder) / entry.file)
    spectrum = content.sum_spectrum if isinstance(content, Cube) else content
    if entry.calibration is None:
        return spectrum
    return Spectrum(
        spectrum.counts,
        entry.calibration,
        spectrum.name,
        spectrum.n_pixels,
        spectrum.instrument,
    )


def score_labels(
    labels_csv: Path,
    classify: Classifier | Classify,
    domain: Domain | None = None,
    use: str | None = None,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> dict[str, Any]:
    """Score a method on measured spectra of known content.

    Certain elements count as present; plausible ones, instrument lines and argon are left out;
    every other element that is reported is a false alarm.

    Parameters
    ----------
    labels_csv : Path
        Table for :func:`read_labels`; files are looked for beside it.
    classify : Classifier or callable
        The method.
    domain : {"xray", "sem"} or None
        None takes both.
    use : str or None
        Only rows of this use, such as ``tune`` or ``check``.

    Returns
    -------
    dict
        n_spectra, recall, false_alarms_per_spectrum, precision, f1, average_precision (over all
        (spectrum, element) pairs), misses and false_alarms (element → times), per_file.

    Raises
    ------
    SettingsError
        If no row is left to score.
    ReadError
        If the table or a file cannot be read.
    """
    method = verdicts_of(classify) if isinstance(classify, Classifier) else classify
    rows = [
        row
        for row in read_labels(labels_csv)
        if (domain is None or row.domain == domain) and (use is None or row.use == use)
    ]
    if not rows:
        raise SettingsError(
            f"{labels_csv} has no rows of the domain {domain} and the use {use}",
            "Domains are xray and sem.",
        )
    verdicts = []
    for index, row in enumerate(rows):
        cancel.check()
        verdicts.append(method(labelled_spectrum(row, Path(labels_csv).parent)))
        progress((index + 1) / len(rows), row.file)
    return score_verdicts(rows, verdicts)


def score_verdicts(
    rows: Sequence[LabelledFile], verdicts: Sequence[Mapping[str, Verdict]]
) -> dict[str, Any]:
    """Score what a method said of labelled spectra; the rules of :func:`score_labels`.

    Parameters
    ----------
    rows : sequence of LabelledFile
    verdicts : sequence of mapping
        Element → verdict, one mapping a row.

    Returns
    -------
    dict
        As of :func:`score_labels`.
    """
    per_file = []
    for row, said in zip(rows, verdicts, strict=True):
        reported = {element for element, v in said.items() if v.present} - row.ignored
        certain = row.certain - row.ignored
        per_file.append(
            {
                "file": row.file,
                "domain": row.domain,
                "use": row.use,
                "group": row.group,
                "found": sorted(certain & reported),
                "missed": _sorted_scores(certain - reported, said),
                "false_alarms": _sorted_scores(reported - certain, said),
            }
        )
    scores, truths, _ = labelled_pairs(rows, verdicts)
    return {**_totals(per_file, scores, truths), "per_file": per_file}


def labelled_pairs(
    rows: Sequence[LabelledFile], verdicts: Sequence[Mapping[str, Verdict]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every (spectrum, element) pair that counts, for curves and cuts over all of them.

    Returns
    -------
    scores : ndarray, float64, shape (pair,)
        −inf for a certain element that the method does not know.
    truths : ndarray of bool, shape (pair,)
    row : ndarray of int, shape (pair,)
        Which spectrum.
    """
    scores, truths, places = [], [], []
    for place, (row, said) in enumerate(zip(rows, verdicts, strict=True)):
        for element in sorted((set(said) | row.certain) - row.ignored):
            # A certain element that a method does not know is one it misses.
            scores.append(said[element].score if element in said else -np.inf)
            truths.append(element in row.certain)
            places.append(place)
    return (
        np.array(scores, dtype=np.float64),
        np.array(truths, dtype=bool),
        np.array(places, dtype=int),
    )


def _sorted_scores(elements: set[str], verdicts: Mapping[str, Verdict]) -> dict[str, float | None]:
    """Element → score, falling; None for elements the method does not know."""
    known = sorted((e for e in elements if e in verdicts), key=lambda e: -verdicts[e].score)
    unknown = sorted(e for e in elements if e not in verdicts)
    return {**{e: round(verdicts[e].score, 4) for e in known}, **dict.fromkeys(unknown)}


def _totals(
    per_file: list[dict[str, Any]], scores: np.ndarray, truths: np.ndarray
) -> dict[str, Any]:
    hits = sum(len(f["found"]) for f in per_file)
    misses = Counter(e for f in per_file for e in f["missed"])
    alarms = Counter(e for f in per_file for e in f["false_alarms"])
    n_missed, n_alarms = misses.total(), alarms.total()
    finite = np.where(np.isfinite(scores), scores, np.min(scores[np.isfinite(scores)], initial=0))
    return {
        "n_spectra": len(per_file),
        "n_certain": hits + n_missed,
        "recall": hits / max(hits + n_missed, 1),
        "precision": hits / max(hits + n_alarms, 1),
        "false_alarms_per_spectrum": n_alarms / len(per_file),
        "f1": 2 * hits / max(2 * hits + n_alarms + n_missed, 1),
        "average_precision": average_precision(finite, truths.astype(np.int8)),
        "misses": dict(misses.most_common()),
        "false_alarms": dict(alarms.most_common()),
    }
