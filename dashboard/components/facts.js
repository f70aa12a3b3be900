function render({model, view, el}) {
  show(model, view, el, ["text"], () => h("div", {class: "xrf-facts", title: model.text},
    // What has no room is left out whole, from the end.
    model.text.split(/(?=  ·)/).map((fact) => h("span", {}, fact))))
}
export default {render}
