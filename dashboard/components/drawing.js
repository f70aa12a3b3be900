// What the mouse does on the map, and how what is drawn joins the selection. Lasso and box are Bokeh's;
// polygon, brush and single pixel are drawn here, in the browser, and sent once when they are done.
function render({model, view, el}) {
  const TOOLS = {
    Move: "Drag moves the map; the wheel zooms", Lasso: "Drag draws around pixels to select them",
    Box: "Drag draws a box to select pixels",
    Polygon: "Click corner by corner; Enter, a double click or a click on the first corner closes it, Backspace takes one back",
    Brush: "Drag paints over pixels to select them", Pixel: "Click selects a single pixel",
    Line: "Drag draws a line, whose values are shown below", Crop: "Drag draws a box; only what lies in it is shown",
    Uncrop: "Show the whole scan again", Reset: "Show everything again"}
  const WORDS = {Line: "Line profile", Uncrop: "Whole scan"}
  const options = ["Move", "Lasso", "Box", "Polygon", "Brush", "Pixel"]
  const JOINS = {
    new: ["Replace", "What is drawn replaces the selection"], add: ["Add", "What is drawn is added to the selection (or hold Shift)"],
    subtract: ["Take away", "What is drawn is taken away from the selection (or hold Alt)"],
    intersect: ["Overlap", "Only what is drawn and was selected stays selected (or hold Shift and Alt)"]}
  let chosen = model.value, corners = [], stroke = null, radius = 4, held = "", wired = null
  const find = (name) => view.model.document?.get_model_by_name(`${model.prefix}-${name}`)
  const figure = () => find("figure")
  const joins = ({shift, alt} = {}) => shift && alt ? "intersect" : shift ? "add" : alt ? "subtract" : "-"
  const send = (shape, points, keys) => {
    const fig = figure(), mailbox = find("mailbox")
    const step = Math.max(1, Math.ceil(points.length / 300))
    const kept = points.filter((_, i) => i % step == 0 || i == points.length - 1)
    const round = (v) => Math.round(v * 1000) / 1000
    fig.__drawn = (fig.__drawn ?? 0) + 1
    mailbox.data = {x: kept.map((p) => round(p[0])), y: kept.map((p) => round(p[1])),
      how: kept.map((_, i) => i ? "" : `${shape} ${joins(keys)} ${shape == "brush" ? radius : 0} ${fig.__drawn}`)}
  }
  const brush = () => figure()?.renderers.find((r) => r.name == "brush")
  const paint = (points) => {
    const fig = figure(), layer = brush()
    const unit = fig.inner_width / Math.abs(fig.x_range.end - fig.x_range.start)
    layer.glyph.setv({line_width: {value: Math.max(2 * radius * unit, 2)}}, {sync: false})
    layer.data_source.setv({data: {x: points.map((p) => p[0]), y: points.map((p) => p[1])}}, {sync: false})
  }
  const lay = (points) => {
    const overlay = find("Lasso").overlay
    if (points.length) overlay.update({xs: points.map((p) => p[0]), ys: points.map((p) => p[1])})
    else overlay.clear()
  }
  const close = (keys) => {
    const points = corners.filter((p, i) => i == 0 || Math.hypot(p[2] - corners[i - 1][2], p[3] - corners[i - 1][3]) > 3)
    corners = []
    lay([])
    if (points.length >= 3) send("polygon", points, keys)
  }
  const abandon = () => { corners = []; stroke = null; if (figure()) { lay([]); paint([]) } }
  const wire = () => {
    const fig = figure()
    if (!fig || wired == fig) return
    wired = fig
    const blur = () => {
      // A button that was clicked last must not take the Enter that keeps the selection.
      let at = document.activeElement
      while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement
      if (at != document.body) at?.blur()
    }
    fig.on_event("tap", (e) => {
      blur()
      if (chosen == "Pixel") send("pixel", [[Math.round(e.x), Math.round(e.y)]], e.modifiers)
      if (chosen == "Brush") send("brush", [[e.x, e.y]], e.modifiers)
      if (chosen != "Polygon") return
      const first = corners[0]
      if (corners.length > 2 && Math.hypot(e.sx - first[2], e.sy - first[3]) < 8) return close(e.modifiers)
      corners.push([e.x, e.y, e.sx, e.sy])
      lay(corners)
    })
    fig.on_event("doubletap", (e) => { if (chosen == "Polygon" && corners.length) close(e.modifiers) })
    fig.on_event("mousemove", (e) => {
      if (chosen == "Polygon" && corners.length) lay([...corners, [e.x, e.y]])
      if (chosen == "Brush" && !stroke) paint([[e.x, e.y], [e.x, e.y]])
    })
    fig.on_event("mouseleave", () => { if (chosen == "Brush" && !stroke) paint([]) })
    fig.on_event("panstart", (e) => { blur(); if (chosen == "Brush") { stroke = [[e.x, e.y]]; stroke.keys = e.modifiers } })
    fig.on_event("pan", (e) => { if (stroke) { stroke.push([e.x, e.y]); paint(stroke) } })
    fig.on_event("panend", () => {
      if (!stroke) return
      send("brush", stroke, stroke.keys)
      stroke = null
      paint([])
    })
  }
  const choose = (name) => { chosen = name; wire(); activate(); update() }
  const activate = () => {
    abandon()
    for (const name of ["Move", "Lasso", "Box"]) find(name)?.setv({active: name == chosen}, {sync: false})
    // What is drawn elsewhere, such as a crop, asks here which tool is meant.
    const fig = figure()
    if (fig) Object.assign(fig, {__mode: chosen, __choose: choose})
  }
  const key = (event) => {
    const now = event.key == "Shift" || event.key == "Alt" ? joins({shift: event.shiftKey, alt: event.altKey}) : held
    if (now != held) { held = now; update() }
    if (event.type != "keydown" || !corners.length || is_typing(event)) return
    if (event.key == "Enter" && corners.length > 2) close({shift: event.shiftKey, alt: event.altKey})
    else if (event.key == "Escape") abandon()
    else if (event.key == "Backspace") { corners.pop(); lay(corners) }
    else return
    event.preventDefault()
    event.stopImmediatePropagation()
  }
  for (const type of ["keydown", "keyup"]) window.addEventListener(type, key, true)
  const let_go = () => { if (held && held != "-") { held = ""; update() } }
  window.addEventListener("blur", let_go)
  model.on("remove", () => {
    for (const type of ["keydown", "keyup"]) window.removeEventListener(type, key, true)
    window.removeEventListener("blur", let_go)
  })
  const update = show(model, view, el, ["operation", "more", "actions"], () => {
    const join = held && held != "-" ? held : model.operation
    const size = h("input", {type: "range", class: "xrf-range xrf-plain", min: 0.5, max: 30, step: 0.5, value: radius, "aria-label": "Brush size"})
    const told = h("output", {class: "xrf-value"}, `${2 * radius} px`)
    const fill = () => size.style.setProperty("--at", `${(radius - 0.5) / 29.5 * 100}%`)
    size.addEventListener("input", () => { radius = +size.value; told.textContent = `${2 * radius} px`; fill() })
    fill()
    const hint = (word, text) => `${word}: ${text[0].toLowerCase()}${text.slice(1)}`
    const tool = (name, attributes) => h("button", {class: "xrf-tool", "data-key": name, title: hint(WORDS[name] ?? name, TOOLS[name]),
      "aria-label": WORDS[name] ?? name, ...attributes}, icon(name))
    return [
      h("div", {class: "xrf-tools xrf-upright", role: "group", "aria-label": "What dragging does"},
        [...options, ...model.more].map((name) => tool(name, {"aria-pressed": String(name == chosen), onclick: () => choose(name)})),
        tool("Reset", {onclick: () => {
          const fig = figure()
          if (fig) { fig.x_range.reset(); fig.y_range.reset() }
        }}),
        model.actions.map((name) => tool(name, {onclick: () => model.send_msg({action: name})}))),
      h("div", {class: "xrf-tools xrf-upright xrf-joins", role: "group", "aria-label": "How what is drawn joins the selection"},
        Object.entries(JOINS).map(([name, [word, text]]) =>
          h("button", {class: "xrf-tool", "data-key": name, title: hint(word, text), "aria-label": word,
            "aria-pressed": String(name == join), onclick: () => { model.operation = name }}, icon(`join_${name}`)))),
      chosen == "Brush" && h("label", {class: "xrf-brush", title: "Diameter of the brush, in pixels of the scan"}, h("span", {class: "xrf-small"}, "Brush"), size, told)]
  })
}
export default {render}
