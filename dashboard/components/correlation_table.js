// How all found elements go together; a click shows the pair.
function render({model, view, el}) {
  const cell = (i, j) => {
    const value = model.values[i]?.[j], a = model.elements[i], b = model.elements[j]
    if (i == j) return h("td", {class: "xrf-self"}, "")
    const told = value == null ? `${a} and ${b}: no correlation, one of them is the same everywhere` : `${a} and ${b}: ${value.toFixed(2)}`
    const strength = value == null ? 0 : Math.abs(value)
    return h("td", {}, h("button", {title: `${told}. Show the pair`, "aria-label": told, "data-key": `${a}-${b}`,
      style: `background:color-mix(in srgb, ${value > 0 ? "var(--xrf-together)" : "var(--xrf-apart)"} ${Math.round(strength * 70)}%, transparent)`,
      onclick: () => model.send_msg({pair: [a, b]})}, value == null ? "–" : value.toFixed(2).replace("-0.00", "0.00").replace("0.", ".").replace("-", "−")))
  }
  show(model, view, el, ["elements", "values", "caption"], () => h("div", {class: "xrf-corr", "data-scroll": "corr", tabindex: 0, role: "region", "aria-label": "Correlation table"},
    model.elements.length > 1 && h("table", {}, h("caption", {class: "xrf-hint"}, model.caption),
      h("thead", {}, h("tr", {}, h("td", {}), model.elements.map((e) => h("th", {scope: "col"}, e)))),
      h("tbody", {}, model.elements.map((e, i) => h("tr", {}, h("th", {scope: "row"}, e), model.elements.map((_, j) => cell(i, j))))))))
}
export default {render}
