// A number with its words; tells the server where it comes to rest, not every step.
function render({model, view, el}) {
  adopt(view)
  const label = h("span", {class: "xrf-label"}), number = h("output", {class: "xrf-value"})
  const input = h("input", {type: "range", class: "xrf-range xrf-plain", step: 1})
  const paint = () => {
    number.textContent = thousands(+input.value)
    input.style.setProperty("--at", `${(input.value - model.low) / (model.high - model.low) * 100}%`)
  }
  input.addEventListener("input", paint)
  input.addEventListener("change", () => { model.value = +input.value })
  const refresh = () => {
    label.textContent = model.label
    input.setAttribute("aria-label", model.label)
    el.title = model.description
    Object.assign(input, {min: model.low, max: model.high, value: model.value})
    paint()
  }
  for (const name of ["value", "low", "high", "label"]) model.on(name, refresh)
  el.replaceChildren(h("div", {class: "xrf-row"}, label, number), input)
  refresh()
}
export default {render}
