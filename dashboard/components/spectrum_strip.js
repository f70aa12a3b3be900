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
  // The edges as the keys leave them; told at rest, the map follows meanwhile.
  let held = null, resting = 0, sent = 0
  const written = (kev) => kev.toFixed(2)
  const tell_edge = (field, kev) => {
    field.setAttribute("aria-valuenow", written(kev))
    field.setAttribute("aria-valuetext", `${written(kev)} keV`)
  }
  const move = (ends, is_final) => {
    held = is_final ? null : ends
    for (const [i, field] of el.querySelectorAll(".xrf-edge").entries()) {
      field.value = written(ends[i])
      tell_edge(field, ends[i])
    }
    view.model.document?.get_model_by_name("xrf-window-band")?.setv({left: ends[0], right: ends[1]}, {sync: false})
    clearTimeout(resting)
    if (!is_final) resting = setTimeout(() => move(ends, true), 600)
    if (!is_final && Date.now() - sent < 100) return
    model.send_msg({window: ends, final: is_final})
    sent = Date.now()
  }
  // No edge leaves the spectrum, and one that meets the other takes it along.
  const placed = (i, kev) => {
    const [low, high, lowest, highest, step] = model.window, ends = [...(held ?? [low, high])], width = ends[1] - ends[0]
    const within = (v) => Math.min(Math.max(v, lowest), highest)
    ends[i] = within(kev)
    if (ends[1] - ends[0] < step) ends[1 - i] = within(ends[i] + (i ? -width : width))
    return ends[1] - ends[0] < 0.99 * step ? null : ends.map((v) => Math.round(v * 1e4) / 1e4)
  }
  const edge = (i, words) => {
    const now = (held ?? model.window)[i], [, , lowest, highest, step] = model.window
    const field = h("input", {class: "xrf-edge", type: "text", inputmode: "decimal", role: "spinbutton", value: written(now), "data-key": `edge-${i}`,
      "aria-label": `${words} of the energy window, keV`, "aria-valuemin": written(lowest), "aria-valuemax": written(highest),
      title: `${words} in keV: type it, or move it with the arrow keys (Page Up and Down: ten times as far)`,
      onkeydown: (event) => {
        const by = {ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10}[event.key]
        if (!by) return
        event.preventDefault()
        const ends = placed(i, (held ?? model.window)[i] + by * step)
        if (ends) move(ends, false)
      },
      onchange: () => {
        const kev = parseFloat(field.value.replace(",", ".")), ends = isFinite(kev) ? placed(i, kev) : null
        if (ends) move(ends, true)
        else field.value = written((held ?? model.window)[i])
      }})
    tell_edge(field, now)
    return field
  }
  show(model, view, el, ["element", "element_name", "families", "chips", "equal", "window", "window_told", "mark", "fit"], () => {
    // Names of kept regions take a line of their own, whole.
    const is_long = model.chips.some(([, , id]) => id && id != "scan" && id != "selection")
    return h("div", {class: `xrf-strip-row${is_long ? " xrf-strip-two" : ""}`},
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
    model.window.length > 0 && h("span", {class: "xrf-pill", role: "group", "aria-label": "Energy window", title: model.window_told},
      edge(0, "Lower edge"), "–", edge(1, "Upper edge"), "\u00a0keV",
      h("button", {class: "xrf-step", "data-key": "close", "aria-label": "Back to the element", title: "Back to the map of the element",
        onclick: () => model.send_msg({act: "close-window"})}, icon("close"))))
  })
}
export default {render}
