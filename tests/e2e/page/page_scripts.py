"""Scripts that read from a page what it does not show as text."""

SUM_OF_TALLIES = """() => {
    const numbers = [...document.querySelectorAll("#tallies dd")]
        .map((one) => Number(one.textContent.replace(",", "")));
    const total = numbers.pop();
    return [numbers.reduce((sum, number) => sum + number, 0), total];
}"""
"""The sum of the parts of the total, and the total."""
DURATIONS = "[...document.querySelectorAll('.part')].map((one) => getComputedStyle(one).transitionDuration)"
"""The duration of the transition of each part of each bar."""
IS_DARK = "parseInt(getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/)[0]) < 128"
"""Whether the background of the page is dark."""
TOO_PALE = """() => {
    const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = (colour) => channels(colour).slice(0, 3).map((one) => one / 255)
        .map((one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
        .reduce((sum, one, index) => sum + one * [0.2126, 0.7152, 0.0722][index], 0);
    const ground = (node) => {
        const colour = getComputedStyle(node).backgroundColor;
        return (channels(colour)[3] ?? 1) > 0 ? colour : ground(node.parentElement);
    };
    const contrast = (node) => {
        const text = light(getComputedStyle(node).color);
        const [dark, bright] = [text, light(ground(node))].sort((a, b) => a - b);
        return (bright + 0.05) / (dark + 0.05);
    };
    return [...document.querySelectorAll("main *, header *")]
        .filter((node) => !node.closest("svg") && node.checkVisibility())
        .filter((node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()))
        .filter((node) => contrast(node) < 4.5)
        .map((node) => `${node.className} ${node.textContent}: ${contrast(node).toFixed(2)}`);
}"""
"""Texts with less contrast than level AA of WCAG requires."""
