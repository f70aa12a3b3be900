function render({model, view, el}) {
  show(model, view, el, ["value", "options", "label", "description"], () => {
    const select = h("select", {title: model.description, "aria-label": model.label || model.description, "data-key": "select", onchange: (e) => { model.value = e.target.value }},
      model.options.map(([word, value]) => h("option", {value, selected: value == model.value}, word)))
    return model.boxed ? h("span", {class: "xrf-choice xrf-boxed"}, select)
      : h("label", {class: "xrf-choice", title: model.description}, h("span", {}, model.label), select)
  })
}
export default {render}
