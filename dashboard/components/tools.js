// What dragging does on a plot; switches the plot's tools here, in the browser.
function render({model, view, el}) {
  let chosen = model.value
  const hints = {Move: "Drag moves the view; the wheel zooms", Lasso: "Drag draws around pixels to select them",
    Box: "Drag draws a box to select pixels",
    Reset: "Show everything again"}
  Object.assign(hints, {Zoom: "Drag over energies to enlarge them", Window: "Window: drag over energies to map their counts"})
  const find = (name) => view.model.document?.get_model_by_name(`${model.prefix}-${name}`)
  const choose = (name) => { chosen = name; activate(); update() }
  const activate = () => {
    for (const name of model.options) {
      const tool = find(name)
      if (tool) tool.setv({active: name == chosen}, {sync: false})
    }
  }
  const button = (name, attributes) => h("button", {class: "xrf-tool", "data-key": name, title: hints[name],
    "aria-label": name, ...attributes}, icon(name))
  const update = show(model, view, el, ["options"], () => h("div",
    {class: "xrf-tools", role: "group", "aria-label": "What dragging does"},
    model.options.map((name) => button(name, {"aria-pressed": String(name == chosen),
      onclick: () => choose(name)})),
    button("Reset", {onclick: () => {
      const fig = find("figure")
      if (fig) { fig.x_range.reset(); fig.y_range.reset() }
    }})))
}
export default {render}
