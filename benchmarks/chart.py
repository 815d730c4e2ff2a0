"""The benchmarks as pictures; matplotlib draws them, from the extra `charts`."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import Any

Line = Mapping[int, float]
"""Seconds by the number of runs."""

_ENDINGS = (".svg", ".png")
_INK, _GREY, _FAINT = "#24292f", "#57606a", "#e4e7eb"
_COLOURS = ("#c2410c", "#7c3aed", "#0369a1", "#0d9488")
_SIZE = 8.0, 4.8
_LABEL_ROOM = 1.12
"""Where a line's label begins, as a multiple of the line's last number of runs; and how much room
that of a bar has."""
_CLOSEST = 1.42
"""The least ratio between the heights of two labels."""
_SUBTITLE = 8
"""Points from the axes to the second title."""
_BOUND_LEFT = 0.72
"""Where the text on the bound ends, as a multiple of the bound's last number of runs."""
_SMALL = {"color": _INK, "fontsize": 8.5, "linespacing": 1.35}
_MUTED = "#b8c0ca"
_BARS_HEIGHT, _BAR_HEIGHT = 0.9, 0.25
"""Inches for all but the bars, and for a bar."""
_DPI = 200
_SECONDS = (0.1, 1, 10, 100, 1000)
_RATIOS = (0.5, 1, 2, 5, 10, 20)
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _GREY,
    "xtick.color": _GREY,
    "ytick.color": _GREY,
    "svg.hashsalt": "duvo-async",
    "svg.fonttype": "path",
}


def check(file: Path) -> None:
    """See before anything is measured that a picture can be drawn.

    Raises:
        SystemExit: It cannot.
    """
    if file.suffix not in _ENDINGS:
        raise SystemExit(f"--chart draws {' or '.join(_ENDINGS)}, not {file.name}")
    if find_spec("matplotlib") is None:
        raise SystemExit("--chart needs matplotlib: pip install 'duvo-async[charts]'")


def draw(file: Path, titles: tuple[str, str], lines: Mapping[str, Line], bound: Line) -> None:
    """Draw seconds over the number of runs, both logarithmic.

    Args:
        file: Where to.
        titles: What the seconds are, and under what conditions.
        lines: Those of the policies.
        bound: What single reads cannot go below when all runs are started first; may be empty.
    """
    import_module("matplotlib").use("Agg")
    pyplot = import_module("matplotlib.pyplot")
    with pyplot.rc_context(_STYLE):
        figure, axes = pyplot.subplots(figsize=_SIZE, facecolor="white", layout="constrained")
        axes.set(xscale="log", yscale="log")
        _bound(axes, bound)
        # Backwards: where lines go together, the first is seen.
        for name, line in reversed(list(lines.items())):
            colour = _colours(lines)[name]
            axes.plot(list(line), list(line.values()), color=colour, lw=2, marker="o", ms=4.5)
        _names(axes, lines)
        _finish(axes, sorted({runs for line in lines.values() for runs in line}))
        _entitle(axes, titles)
        _save(file, figure)


def bars(file: Path, titles: tuple[str, str], groups: Mapping[str, Mapping[str, float]]) -> None:
    """Draw ratios as bars from 1 on, on a logarithmic axis.

    Args:
        file: Where to.
        titles: What the ratios are, and under what conditions.
        groups: The names and ratios of each group; the first of each stands out.
    """
    import_module("matplotlib").use("Agg")
    pyplot = import_module("matplotlib.pyplot")
    rows = sum(len(ratios) + 1 for ratios in groups.values())
    size = _SIZE[0], _BARS_HEIGHT + rows * _BAR_HEIGHT
    with pyplot.rc_context(_STYLE):
        figure, axes = pyplot.subplots(figsize=size, facecolor="white", layout="constrained")
        axes.set(xscale="log")
        axes.axvline(1, color=_FAINT, lw=1.3, zorder=0)
        place, headings, names = 0.0, dict[float, str](), dict[float, str]()
        for group, ratios in groups.items():
            headings[place] = group
            for index, (name, ratio) in enumerate(ratios.items()):
                place += 1
                names[place] = name
                axes.barh(place, ratio - 1, left=1, color=_MUTED if index else _COLOURS[0])
                axes.text(max(ratio, 1) * 1.03, place, f"{ratio:.2f}", va="center", **_SMALL)
            place += 1.5
        axes.set_ylim(place - 1, -1)
        axes.set_yticks([*headings, *names], [*headings.values(), *names.values()])
        for label in axes.get_yticklabels()[: len(headings)]:
            label.set(weight="bold", color=_INK)
        _finish_bars(axes)
        _entitle(axes, titles)
        _save(file, figure)


def _entitle(axes: Any, titles: tuple[str, str]) -> None:  # noqa: ANN401 - matplotlib may not be installed
    axes.set_title(titles[0], loc="left", fontsize=11.5, weight="bold", pad=28)
    above = {"xytext": (0, _SUBTITLE), "textcoords": "offset points"}
    axes.annotate(titles[1], (0, 1), xycoords="axes fraction", color=_GREY, va="bottom", **above)


def _save(file: Path, figure: Any) -> None:  # noqa: ANN401 - as above
    """Write a picture without a date or a version: it changes only when what it shows does."""
    metadata = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}
    figure.savefig(file, dpi=_DPI, metadata=metadata[file.suffix])
    import_module("matplotlib.pyplot").close(figure)


def _finish_bars(axes: Any) -> None:  # noqa: ANN401 - matplotlib may not be installed
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * _LABEL_ROOM)
    ratios = [each for each in _RATIOS if low <= each <= high]
    axes.set_xticks(ratios, [f"{each:g}" for each in ratios])
    axes.minorticks_off()
    axes.tick_params(length=0)
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set_visible(False)


def _bound(axes: Any, bound: Line) -> None:  # noqa: ANN401 - matplotlib may not be installed
    if not bound:
        return
    axes.plot(list(bound), list(bound.values()), color=_INK, lw=1.3, ls=(0, (2, 2)), zorder=3)
    runs = max(bound)
    text = "lower bound of single reads,\nall runs started first"
    axes.text(runs * _BOUND_LEFT, bound[runs], text, ha="right", va="center", **_SMALL)


def _names(axes: Any, lines: Mapping[str, Line]) -> None:  # noqa: ANN401 - as above
    """Write each policy's name where its line ends, and none over another."""
    most = max(runs for line in lines.values() for runs in line)
    lowest = 0.0
    for name, line in sorted(lines.items(), key=lambda each: each[1][max(each[1])]):
        runs = max(line)
        style = {"color": _colours(lines)[name], "weight": "bold"}
        if runs < most and line[runs] >= max(other.get(runs, 0) for other in lines.values()):
            axes.text(runs / _LABEL_ROOM, line[runs], name, ha="right", va="bottom", **style)
            continue
        lowest = max(line[runs], lowest * _CLOSEST)
        axes.text(runs * _LABEL_ROOM, lowest, name, va="center", **style)


def _colours(lines: Mapping[str, Line]) -> dict[str, str]:
    return dict(zip(lines, cycle(_COLOURS), strict=False))


def _finish(axes: Any, numbers: Sequence[int]) -> None:  # noqa: ANN401 - as above
    """Leave only what is read: plain numbers and a faint grid."""
    axes.set_xticks(numbers, [f"{runs:,}" for runs in numbers])
    low, high = axes.get_ylim()
    seconds = [each for each in _SECONDS if low <= each <= high]
    axes.set_yticks(seconds, [f"{each:,g}" for each in seconds])
    axes.minorticks_off()
    axes.tick_params(length=0)
    axes.grid(color=_FAINT, lw=0.8)
    axes.set_axisbelow(True)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel("runs, started as fast as the key allows", color=_GREY, labelpad=8)
