// Title row of a pane: its name, a detail, and the legend's chips. A double click gives the pane the whole page;
// another, or Escape, takes it back.
function render({model, view, el}) {
  const pane = () => {
    let host = view.el
    while (host && !getComputedStyle(host).gridRowStart.match(/map|spectrum|embedding|clusters|^2$/)) host = host.getRootNode().host
    return host
  }
  let large = null
  const toggle = () => {
    if (large) {
      large.host.style.gridArea = large.area
      large.host.style.zIndex = ""
      large = null
      return
    }
    const host = pane()
    if (!host) return
    large = {host, area: host.style.gridArea}
    // Beside the rail, which goes on choosing what is shown.
    host.style.gridArea = "2 / 2 / 4 / 5"
    host.style.zIndex = "15"
  }
  const key = (event) => {
    if (event.key != "Escape" || !large) return
    event.stopImmediatePropagation()
    toggle()
  }
  window.addEventListener("keydown", key, true)
  model.on("remove", () => window.removeEventListener("keydown", key, true))
  show(model, view, el, ["text", "chips", "detail"], () => h("div", {class: "xrf-title", ondblclick: toggle, title: `${model.text}${model.detail ? ", " + model.detail : ""} (double-click: larger)`},
    h("h2", {}, model.text), model.detail && h("span", {class: "xrf-small"}, model.detail),
    model.chips.map((chip) => h("span", {class: "xrf-legend"}, h("i", {style: `background:${chip[0]}`}), chip[1]))))
}
export default {render}
