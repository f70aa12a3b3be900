function render({model, view, el}) {
  show(model, view, el, ["value", "label"], () => h("button", {class: model.icon ? "xrf-tool" : "xrf-button xrf-toggle", title: model.description,
    "aria-label": model.label, "data-key": "toggle", "aria-pressed": String(model.value), onclick: () => { model.value = !model.value }},
    model.icon ? icon(model.icon) : model.label))
}
export default {render}
