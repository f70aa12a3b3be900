function render({model, view, el}) {
  const key = (event) => {
    if (event.key != "Escape" || !model.value) return
    event.stopImmediatePropagation()
    model.value = false
  }
  window.addEventListener("keydown", key, true)
  model.on("remove", () => window.removeEventListener("keydown", key, true))
  show(model, view, el, ["value", "label", "icon", "description"], () => h("button", {
    class: model.icon ? "xrf-tool" : "xrf-button xrf-toggle", title: model.description || model.label, "data-key": "sheet",
    "aria-label": model.label, "aria-expanded": String(model.value), "aria-pressed": String(model.value),
    onclick: () => { model.value = !model.value }}, model.icon ? icon(model.icon) : model.label))
}
export default {render}
