// What dragging does on a plot; switches the plot's tools here, in the browser.
function render({model, view, el}) {
  let chosen = model.value
  const hints = {Move: "Drag moves the view; the wheel zooms", Lasso: "Drag draws around pixels to select them",
    Box: "Drag draws a box to select pixels", Line: "Line profile: drag draws a line, whose values are shown below",
    Crop: "Crop: drag draws a box; only what lies in it is shown", Uncrop: "Show the whole scan again",
    Reset: "Show everything again"}
  const names = {Line: "Line profile", Uncrop: "Whole scan"}
  Object.assign(hints, {Zoom: "Drag over energies to enlarge them", Window: "Window: drag over energies to map their counts"})
  const find = (name) => view.model.document?.get_model_by_name(`${model.prefix}-${name}`)
  const choose = (name) => { chosen = name; activate(); update() }
  const activate = () => {
    for (const name of model.options) {
      const tool = find(name)
      if (tool) tool.setv({active: name == chosen}, {sync: false})
    }
    // What is drawn by no tool of Bokeh's asks here which of them is meant.
    const fig = find("figure")
    if (fig) Object.assign(fig, {__mode: chosen, __choose: choose})
  }
  const button = (name, attributes) => h("button", {class: "xrf-tool", "data-key": name, title: hints[name],
    "aria-label": names[name] ?? name, ...attributes}, icon(name))
  const update = show(model, view, el, ["options", "actions", "vertical"], () => h("div",
    {class: model.vertical ? "xrf-tools xrf-upright" : "xrf-tools", role: "group", "aria-label": "What dragging does"},
    model.options.map((name) => button(name, {"aria-pressed": String(name == chosen),
      onclick: () => choose(name)})),
    button("Reset", {onclick: () => {
      const fig = find("figure")
      if (fig) { fig.x_range.reset(); fig.y_range.reset() }
    }}),
    model.actions.map((name) => button(name, {onclick: () => model.send_msg({action: name})}))))
}
export default {render}
