// The strip of small maps. Hovering lays a small map over the large one, here, in the browser.
function render({model, view, el}) {
  let cover = null, waiting = 0, until = 0
  const hide = () => { clearTimeout(waiting); cover?.remove(); cover = null }
  const preview = (item) => {
    hide()
    if (!item || !item.src || item.symbol == model.value) return
    const doc = view.model.document, fig = doc?.get_model_by_name(model.figure)
    const plot = fig && window.Bokeh?.index.find_one_by_id(fig.id)
    if (!plot?.frame) return
    // Placed like the image below it, wherever it was moved or zoomed to.
    const {left, top, width, height} = plot.frame.bbox, {x_scale, y_scale} = plot.frame
    const xs = [-0.5, model.shape[0] - 0.5].map((v) => x_scale.compute(v) - left)
    const ys = [-0.5, model.shape[1] - 0.5].map((v) => y_scale.compute(v) - top)
    const place = (a, b, c, d) => `left:${a}px;top:${b}px;width:${c}px;height:${d}px`
    cover = h("div", {class: "xrf-preview", style: `position:absolute;overflow:hidden;pointer-events:none;z-index:4;
      background:var(--xrf-surface);${place(left, top, width, height)}`},
      h("img", {src: item.src, alt: "", style: `position:absolute;image-rendering:pixelated;${place(Math.min(...xs), Math.min(...ys), Math.abs(xs[1] - xs[0]), Math.abs(ys[1] - ys[0]))}`}),
      h("span", {style: `position:absolute;left:8px;top:8px;padding:4px 8px;border-radius:4px;background:var(--xrf-surface);
        border:1px solid var(--xrf-hairline);font:600 12px system-ui,sans-serif;color:var(--xrf-ink)`}, `${item.symbol} ${item.name}`))
    ;(plot.shadow_el ?? plot.el).append(cover)
  }
  const aim = (target, delay) => {
    const button = target.closest?.(".xrf-thumb")
    clearTimeout(waiting)
    if (Date.now() < until) return
    if (button) waiting = setTimeout(() => preview(model.items.find((i) => i.symbol == button.dataset.key)), cover ? 0 : delay)
    else hide()
  }
  el.addEventListener("pointerover", (event) => { if (event.pointerType != "touch") aim(event.target, 60) })
  el.addEventListener("pointerleave", hide)
  el.addEventListener("focusin", (event) => { if (event.target.matches?.(":focus-visible")) aim(event.target, 0) })
  el.addEventListener("focusout", hide)
  model.on("remove", hide)
  const choose = (item) => {
    model.value = item.symbol
    until = Date.now() + 400  // the preview stays until the map itself is there
    clearTimeout(waiting)
    waiting = setTimeout(hide, 400)
  }
  const told = (item) => item.verdict == "absent" ? `${item.name}: you say it is not here`
    : item.verdict == "present" ? `${item.name}: added by you`
    : item.list == "few" ? `${item.name}: in few pixels, perhaps a false call`
    : item.instrument ? `${item.name}: from the X-ray tube or the air` : `${item.name}: show its map`
  show(model, view, el, ["items", "value", "problem"], () => h("div", {class: "xrf-stripbox"},
    !model.items.length && model.problem && h("p", {class: "xrf-hint"}, model.problem),
    h("div", {class: "xrf-strip", "data-scroll": "strip"}, model.items.map((item, i) => [
      i > 0 && item.list != model.items[i - 1].list && h("span", {class: "xrf-divider"}),
      h("button", {
        class: `xrf-thumb xrf-is-${item.verdict || item.list}${item.instrument ? " xrf-dim" : ""}`, "data-key": item.symbol, title: told(item),
        "aria-pressed": String(item.symbol == model.value), onclick: () => choose(item)},
        h("img", {src: item.src, alt: `Small map of ${item.name}`, draggable: "false",
          onload: ({target}) => { if (target.naturalWidth > 6 * target.naturalHeight) target.style.objectFit = "fill" }}), h("b", {}, item.symbol))]).flat()),
    model.items.length > 0 && h("button", {class: "xrf-tool xrf-allmaps", "data-key": "all", title: "All maps side by side",
      "aria-label": "All maps", onclick: () => { hide(); model.send_msg({all: true}) }}, icon("grid_view"), h("small", {}, "All"))))
}
export default {render}
