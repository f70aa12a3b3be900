function render({model, view, el}) {
  show(model, view, el, ["value", "label"], () => h("button", {class: "xrf-button xrf-toggle", title: model.description,
    "aria-pressed": String(model.value), onclick: () => { model.value = !model.value }}, model.label))
}
export default {render}
