// Dragging moves the colour limit of the map here, in the browser; the server hears of it at release.
function render({model, view, el}) {
  adopt(view)
  const input = h("input", {type: "range", "aria-label": "Threshold", class: "xrf-range"})
  const number = h("input", {type: "text", inputmode: "decimal", class: "xrf-number", "aria-label": "Threshold, number"})
  const head = h("span", {class: "xrf-label"}), low = h("span"), high = h("span")
  const reset = h("button", {class: "xrf-link", title: "Back to where this threshold starts", onclick: () => commit(null)}, "reset")
  const digits = () => model.high <= 1 ? 2 : model.high < 20 ? 1 : 0
  const text = (v) => model.high <= 1 ? v.toFixed(digits()) : v.toLocaleString("en-US", {maximumFractionDigits: digits()})
  const paint = (value) => {
    const mapper = view.model.document?.get_model_by_name(model.mapper)
    if (mapper) mapper.setv({low: value, high: Math.max(model.top, value + 1e-6)}, {sync: false})
    const at = (value - model.low) / (model.high - model.low) * 100
    input.style.setProperty("--at", `${Math.min(Math.max(at, 0), 100)}%`)
    if (el.getRootNode().activeElement !== number) number.value = text(value)
  }
  const commit = (value) => { model.value = value; if (value == null) refresh() }
  input.addEventListener("input", () => paint(+input.value))
  input.addEventListener("change", () => commit(+input.value))
  number.addEventListener("change", () => {
    const value = parseFloat(number.value.replace(/,/g, ""))
    number.blur()
    if (isFinite(value)) commit(Math.min(Math.max(value, model.low), model.high))
    else refresh()
  })
  const refresh = () => {
    const value = model.value ?? model.start
    Object.assign(input, {min: model.low, max: model.high, step: (model.high - model.low) / 400, value})
    input.disabled = number.disabled = !model.symbol
    input.style.setProperty("--ramp", model.ramp)
    head.textContent = model.label
    input.title = model.description
    reset.style.visibility = model.value == null || model.value == model.start ? "hidden" : "visible"
    low.textContent = text(model.low)
    high.textContent = text(model.high)
    paint(value)
  }
  for (const name of ["value", "start", "low", "high", "symbol", "label", "description", "top", "ramp"]) model.on(name, refresh)
  el.replaceChildren(
    h("div", {class: "xrf-row"}, head, reset, number), input, h("div", {class: "xrf-row xrf-small"}, low, high))
  refresh()
  model.on("lifecycle:after_layout", () => paint(model.value ?? model.start))
}
export default {render}
