function render({model, view, el}) {
  show(model, view, el, ["text"], () => h("div", {class: "xrf-facts", title: model.text}, model.text))
}
export default {render}
