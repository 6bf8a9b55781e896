"""Screens of a terminal as one SVG that plays them.

It is a strip of the screens, one below the other, of which CSS shows one at a time; each different line is
in it once. Readers who want no motion see the last screen.
"""

from itertools import accumulate

CELL, LINE, MARGIN, BAR = 8.4, 17, 18, 36
"""Pixels: a character's width and a line's height, the space around, and the bar of the window."""
BASELINE = 13
"""Of a line's text, below the line's upper edge."""
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"
 width="{width}" height="{height}"><title>make run</title><style>
text{{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}}.b{{font-weight:700}}
#strip{{animation:play {seconds:.1f}s steps(1,end) infinite}}@keyframes play{{{steps}}}
@media(prefers-reduced-motion:reduce){{#strip{{animation:none;transform:translateY(-{last}px)}}}}
</style><defs>{lines}</defs>
<rect x=".5" y=".5" width="{edge_x}" height="{edge_y}" rx="10" fill="#0d1117" stroke="#30363d"/>
<circle cx="22" cy="19" r="6" fill="#ff5f57"/><circle cx="42" cy="19" r="6" fill="#febc2e"/>\
<circle cx="62" cy="19" r="6" fill="#28c840"/>
<svg x="{margin}" y="{bar}" width="{inner}" height="{screen}"><g id="strip">{screens}</g></svg>
</svg>
"""

Lines = tuple[str, ...]
"""A screen, each line of it as SVG."""


def to_svg(screens: list[tuple[float, Lines]], columns: int) -> str:
    """Return what plays screens again and again, each for its seconds."""
    height = len(screens[0][1]) * LINE
    different = dict.fromkeys(line for _, lines in screens for line in lines if line)
    ids = {line: f"l{number}" for number, line in enumerate(different)}
    starts = [0.0, *accumulate(seconds for seconds, _ in screens)]
    steps = [
        f"{100 * at / starts[-1]:.2f}%{{transform:translateY(-{number * height}px)}}"
        for number, at in enumerate(starts[:-1])
    ]
    uses = [
        f'<use href="#{ids[line]}" y="{number * height + row * LINE + BASELINE}"/>'
        for number, (_, lines) in enumerate(screens)
        for row, line in enumerate(lines)
        if line
    ]
    width, whole_height = columns * CELL + 2 * MARGIN, height + BAR + MARGIN
    return SVG.format(
        width=width,
        height=whole_height,
        edge_x=width - 1,
        edge_y=whole_height - 1,
        margin=MARGIN,
        bar=BAR,
        inner=columns * CELL,
        screen=height,
        seconds=starts[-1],
        last=(len(screens) - 1) * height,
        lines="".join(f'<g id="{name}">{line}</g>' for line, name in ids.items()),
        screens="".join(uses),
        steps="".join(steps),
    )
