// Below the title of the spectrum: the element whose lines are marked, the legend, fit and window.
function render({model, view, el}) {
  const step = (by) => model.send_msg({step: by})
  const arrows = (event) => {
    const by = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1}[event.key]
    if (!by) return
    event.preventDefault()
    event.stopPropagation()
    step(by)
  }
  const dashes = {K: "solid", L: "dashed", M: "dotted"}
  const family = (name) => h("span", {class: "xrf-legend", title: `Lines of the ${name} family, drawn ${dashes[name]}`},
    h("i", {class: "xrf-line-sample", style: `border-top-style:${dashes[name]}`}), name)
  show(model, view, el, ["element", "element_name", "families", "chips", "equal", "window", "mark", "fit"], () => h("div", {class: "xrf-strip-row"},
    model.element && h("span", {class: "xrf-cursor", role: "group", "aria-label": "Lines of an element", onkeydown: arrows},
      h("button", {class: "xrf-step", "data-key": "previous", title: "Lines of the element before (arrow keys step, too)",
        "aria-label": "Previous element", onclick: () => step(-1)}, icon("chevron_left")),
      h("b", {title: `Lines of ${model.element_name} are marked`}, model.element),
      h("button", {class: "xrf-step", "data-key": "next", title: "Lines of the element after (arrow keys step, too)",
        "aria-label": "Next element", onclick: () => step(1)}, icon("chevron_right"))),
    model.families.map(family),
    h("span", {class: "xrf-grow"}),
    h("span", {class: "xrf-curves", role: "group", "aria-label": "Curves", "data-scroll": "curves"}, model.chips.map(([colour, text, id, on]) => id
      ? h("button", {class: "xrf-legend xrf-curve", "data-key": `curve-${id}`, "aria-pressed": String(on), title: `${text}: ${on ? "hide" : "show"} its curve`,
        onclick: () => model.send_msg({curve: id})}, h("i", {style: `background:${colour}`}), h("span", {}, text))
      : h("span", {class: "xrf-legend"}, h("i", {style: `background:${colour}`}), text))),
    (model.equal || model.chips.filter((chip) => chip[2]).length > 1) && h("button", {class: "xrf-pill xrf-press", "data-key": "equal", "aria-pressed": String(model.equal),
      title: "Scale all curves to the area of the whole scan's: shapes compare, whatever the brightness", onclick: () => model.send_msg({equal: !model.equal})}, "Equal area"),
    model.fit.length > 0 && h("span", {class: "xrf-legend", title: model.fit[1]}, model.fit[0]),
    model.mark.length > 0 && h("button", {class: "xrf-pill", "data-key": "mark", title: model.mark[1], onclick: () => model.send_msg({act: "calibrate"})}, model.mark[0]),
    model.window && h("span", {class: "xrf-pill", role: "status"}, model.window,
      h("button", {class: "xrf-step", "data-key": "close", "aria-label": "Back to the element", title: "Back to the map of the element",
        onclick: () => model.send_msg({act: "close-window"})}, icon("close")))))
}
export default {render}
