// What dragging does on a plot; switches the plot's tools here, in the browser.
function render({model, view, el}) {
  let chosen = model.value
  const icons = {
    Move: "M13 6v5h5V7.8L22.2 12 18 16.200V13h-5v5h3.200L12 22.2 7.8 18H11v-5H6v3.200L1.8 12 6 7.800V11h5V6H7.800L12 1.8 16.2 6z",
    Lasso: "M12 3C6.5 3 2 6.1 2 10c0 2.5 1.9 4.7 4.7 5.9-.1.4-.2.7-.2 1.1 0 1.9 1.6 3.3 3.6 3 .4 1.1 1.5 2 3.4 2v-1.600c-1.2 0-1.7-.5-1.9-1 .7-.6 1.1-1.5 1.1-2.4 5-.3 9.3-3.2 9.3-7 0-3.9-4.5-7-10-7zm-2 15.400c-.9 0-1.7-.6-1.7-1.4 0-.7.7-1.4 1.7-1.4.8 0 1.4.5 1.4 1.3 0 .8-.6 1.5-1.4 1.500zm2.7-3.100c-.5-.8-1.5-1.4-2.7-1.4-1 0-1.8.3-2.4.9C5.3 14 3.8 12.1 3.8 10c0-2.9 3.7-5.2 8.2-5.200s8.2 2.3 8.2 5.200c0 2.7-3.2 4.9-7.5 5.300z",
    Box: "M3 3h4v2H5v2H3V3zm14 0h4v4h-2V5h-2V3zM9 3h6v2H9V3zM3 9h2v6H3V9zm16 0h2v6h-2V9zM3 17h2v2h2v2H3v-4zm16 0h2v4h-4v-2h2v-2zM9 19h6v2H9v-2z",
    Reset: "M12 5V1L7 6l5 5V7c3.3 0 6 2.7 6 6s-2.7 6-6 6-6-2.7-6-6H4c0 4.4 3.6 8 8 8s8-3.6 8-8-3.6-8-8-8z"}
  const hints = {Move: "Drag moves the view; the wheel zooms", Lasso: "Drag draws around pixels to select them",
    Box: "Drag draws a box to select pixels", Reset: "Show everything again"}
  const find = (name) => view.model.document?.get_model_by_name(`${model.prefix}-${name}`)
  const activate = () => {
    for (const name of model.options) {
      const tool = find(name)
      if (tool) tool.setv({active: name == chosen}, {sync: false})
    }
  }
  const icon = (name) => {
    const box = h("span", {class: "xrf-icon"})
    box.innerHTML = `<svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true"><path fill="currentColor" d="${icons[name]}"/></svg>`
    return box
  }
  const update = show(model, view, el, ["options"], () => h("div", {class: "xrf-tools", role: "group", "aria-label": "What dragging does"},
    model.options.map((name) => h("button", {class: "xrf-tool", "data-key": name, title: hints[name], "aria-label": name, "aria-pressed": String(name == chosen),
      onclick: () => { chosen = name; activate(); update() }}, icon(name))),
    h("button", {class: "xrf-tool", title: hints.Reset, "aria-label": "Reset", onclick: () => {
      const fig = find("figure")
      if (fig) { fig.x_range.reset(); fig.y_range.reset() }
    }}, icon("Reset"))))
}
export default {render}
