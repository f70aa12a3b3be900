function render({model, view, el}) {
  show(model, view, el, ["icon", "label", "description", "pressed"], () => h("button", {class: "xrf-tool", "data-key": "icon",
    title: model.description || model.label, "aria-label": model.label, "aria-pressed": model.pressed == null ? null : String(model.pressed),
    onclick: () => model.send_msg({click: true})}, icon(model.icon)))
}
export default {render}
