function render({model, view, el}) {
  show(model, view, el, ["items"], () => {
    view.el.style.display = model.items.length ? "block" : "none"
    return model.items.length ? h("div", {class: "xrf-notice", role: "status"},
      h("span", {}, "This link could not be restored in full: ", model.items.join(" ")),
      h("button", {class: "xrf-link", onclick: () => { model.items = [] }}, "dismiss")) : null
  })
}
export default {render}
