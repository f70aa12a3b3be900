// Over the map: its scale bar, and what the pointer is at. Reads the figure's own images; the server is asked
// only for the strongest elements of a pixel, and only once the pointer rests there.
const REST_MS = 160, LONGEST_PX = 120, ASIDE_PX = 14
function render({model, view, el}) {
  adopt(view)
  const line = h("i"), words = h("span"), bar = h("div", {class: "xrf-scalebar", role: "img"}, line, words)
  const tip = h("div", {class: "xrf-tip", role: "status", "aria-live": "off"})
  el.replaceChildren(h("div", {class: "xrf-glass"}, bar, tip))
  let fig = null, plot = null, waiting = 0, at = null, due = false, gone = false
  const round = (v) => { // 1, 2 or 5 and zeros
    const ten = 10 ** Math.floor(Math.log10(v)), head = v / ten
    return (head >= 5 ? 5 : head >= 2 ? 2 : 1) * ten
  }
  const length = (v) => {
    const plain = (n) => n.toLocaleString("en-US", {maximumSignificantDigits: 3})
    if (!model.pixel_size_mm) return `${plain(v)} px`
    return v >= 1000 ? `${plain(v / 1000)} m` : v >= 0.1 ? `${plain(v)} mm` : `${plain(v * 1000)} µm`
  }
  const paint = () => {
    due = false
    const frame = plot?.frame?.bbox
    if (!frame || !(frame.width > 4) || !(frame.height > 4)) return
    const {x_range: xr, y_range: yr} = fig
    const across = frame.width / Math.abs(xr.end - xr.start), down = frame.height / Math.abs(yr.end - yr.start)
    // A line scan is drawn broader than it is: the bar lies along the direction that is true to scale.
    const upright = across > 1.05 * down, per_px = upright ? down : across
    const size = model.pixel_size_mm || 1
    const shown = round(LONGEST_PX / per_px * size), px = shown / size * per_px
    if (!isFinite(px)) return
    words.textContent = length(shown)
    line.style.cssText = upright ? `height:${px}px;width:3px` : `width:${px}px;height:3px`
    bar.classList.toggle("xrf-upright-bar", upright)
    bar.setAttribute("aria-label", `Scale bar: ${length(shown)}`)
    bar.dataset.px = px
    bar.style.right = `${plot.el.offsetWidth - frame.right + 8}px`
    bar.style.bottom = `${plot.el.offsetHeight - frame.bottom + 8}px`
    bar.style.visibility = "visible"
  }
  const soon = () => { if (!due) { due = true; requestAnimationFrame(paint) } }
  const hide = () => { clearTimeout(waiting); at = null; tip.style.visibility = "hidden" }
  const number = (v) => model.unit == "" ? v.toFixed(2)
    : v.toLocaleString("en-US", {maximumFractionDigits: Math.abs(v) < 100 ? 1 : 0})
  const read = (data, x, y, name) => {
    const image = data[name]?.[0]
    if (!image?.shape) return null
    const [rows, columns] = image.shape
    const row = Math.floor((y - data.y[0]) / data.dh[0] * rows), column = Math.floor((x - data.x[0]) / data.dw[0] * columns)
    if (row < 0 || column < 0 || row >= rows || column >= columns) return null
    const value = image[row * columns + column]
    return Number.isFinite(value) ? value : null
  }
  const tell = () => {
    const source = fig.renderers.find((r) => r.name == "values")?.data_source
    if (!at || !source) return
    const {x, y, scan, place} = at, step = source.tags?.[0] ?? 1
    const value = read(source.data, x, y, "image"), error = step > 1 ? null : read(source.data, x, y, "error")
    const strongest = model.told?.at?.[0] == scan[0] && model.told.at[1] == scan[1] ? model.told.items : null
    tip.replaceChildren(...[
      value == null ? h("span", {}, `No value of ${model.element || "an element"} here`)
        : h("span", {}, `${model.element} `, h("b", {}, number(value)), error == null ? "" : ` ± ${number(error)}`,
          ` ${model.unit || "probability"}`, step > 1 ? `, largest of ${step}×${step} pixels` : ""),
      h("small", {}, `column ${thousands(scan[0])}, row ${thousands(scan[1])}`),
      strongest && h("small", {}, strongest.length ? strongest.map(([symbol, text]) => `${symbol} ${text}`).join(" · ") : "no element above its threshold"),
    ].filter(Boolean))
    const {offsetWidth: w, offsetHeight: tall} = plot.el
    const left = place[0] + ASIDE_PX + tip.offsetWidth > w ? place[0] - ASIDE_PX - tip.offsetWidth : place[0] + ASIDE_PX
    const top = Math.min(Math.max(place[1] - tip.offsetHeight / 2, 4), tall - tip.offsetHeight - 4)
    tip.style.left = `${Math.max(left, 4)}px`
    tip.style.top = `${top}px`
    tip.style.visibility = "visible"
  }
  const move = (event) => {
    const frame = plot.frame?.bbox
    if (!frame || event.buttons) return hide()
    const box = plot.el.getBoundingClientRect()
    const px = event.clientX - box.x, py = event.clientY - box.y
    if (px < frame.left || px > frame.right || py < frame.top || py > frame.bottom) return hide()
    const {x_range: xr, y_range: yr} = fig
    // The range of y runs downwards: its end is on top.
    const x = xr.start + (px - frame.left) / frame.width * (xr.end - xr.start)
    const y = yr.end + (py - frame.top) / frame.height * (yr.start - yr.end)
    const whole = fig.__fit
    if (!whole || x < -0.5 || y < -0.5 || x >= whole.nx - 0.5 || y >= whole.ny - 0.5) return hide()
    const [a, b, c, d, e, f] = model.matrix, rx = Math.round(x), ry = Math.round(y)
    const scan = [a * rx + b * ry + c, d * rx + e * ry + f]
    const same = at && at.scan[0] == scan[0] && at.scan[1] == scan[1]
    at = {x, y, scan, place: [px, py]}
    tell()
    if (same) return
    clearTimeout(waiting)
    waiting = setTimeout(() => { if (at) model.send_msg({at: at.scan}) }, REST_MS)
  }
  const begin = () => {
    if (gone) return
    fig = view.model.document?.get_model_by_name(model.figure)
    plot = fig && window.Bokeh?.index.find_one_by_id(fig.id)
    if (!plot?.frame) { setTimeout(begin, 60); return }
    for (const range of [fig.x_range, fig.y_range]) range.change.connect(soon)
    for (const name of ["inner_width", "inner_height"]) fig.properties[name].change.connect(soon)
    plot.el.addEventListener("pointermove", move)
    plot.el.addEventListener("pointerleave", hide)
    plot.el.addEventListener("pointerdown", hide)
    plot.el.addEventListener("wheel", () => setTimeout(hide), {passive: true})
    const values = fig.renderers.find((r) => r.name == "values")?.data_source
    values?.properties.data.change.connect(tell)
    soon()
  }
  model.on("pixel_size_mm", soon)
  for (const name of ["told", "unit", "element"]) model.on(name, tell)
  model.on("matrix", hide)
  model.on("remove", () => { gone = true; clearTimeout(waiting) })
  begin()
}
export default {render}
