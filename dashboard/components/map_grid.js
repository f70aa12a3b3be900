// All maps at once, in as many columns as make them largest.
const GAP = 8, WORDS = 40, LEAST = 96, MOST = 420
function render({model, view, el}) {
  const told = (item) => item.verdict == "absent" ? "not here" : item.verdict == "present" ? "added by you"
    : item.list == "few" ? "in few pixels" : item.instrument ? "from the instrument" : ""
  const arrange = () => {
    const box = el.querySelector(".xrf-maps"), n = model.items.length
    if (!box || !n || !box.clientWidth) return
    const width = box.clientWidth - 32, height = box.clientHeight - 32
    let best = {size: 0, columns: 1}
    for (let columns = 1; columns <= n; columns++) {
      const rows = Math.ceil(n / columns), wide = (width - GAP * (columns - 1)) / columns - 10
      const high = ((height - GAP * (rows - 1)) / rows - WORDS - 10) * model.aspect
      const size = Math.min(wide, high, MOST)
      if (size > best.size) best = {size, columns}
    }
    // More maps than fit at a size worth looking at: they scroll.
    const least = Math.min(LEAST * Math.max(1, model.aspect), MOST), size = Math.floor(Math.max(best.size, least))
    box.style.setProperty("--wide", `${size}px`)
    box.style.setProperty("--high", `${Math.floor(size / model.aspect)}px`)
    box.style.setProperty("--columns", best.size >= least ? best.columns : Math.max(1, Math.floor((width + GAP) / (size + 10 + GAP))))
  }
  const keys = (event, i) => {
    const columns = parseInt(getComputedStyle(el.querySelector(".xrf-maps")).getPropertyValue("--columns"))
    const to = {ArrowRight: i + 1, ArrowLeft: i - 1, ArrowDown: i + columns, ArrowUp: i - columns}[event.key]
    const target = el.querySelectorAll(".xrf-bigthumb")[to]
    if (to == null) return
    event.preventDefault()
    target?.focus()
  }
  show(model, view, el, ["items", "value", "aspect", "busy", "problem"], () => !model.items.length
    ? h("p", {class: "xrf-hint xrf-maps-none"}, model.problem || (model.busy ? "Drawing the maps…" : "No element is above its threshold. Lower a threshold in the rail, or average over more pixels."))
    : h("div", {class: "xrf-maps", "data-scroll": "maps"}, model.items.map((item, i) => h("button", {
      class: `xrf-bigthumb xrf-is-${item.verdict || item.list}${item.instrument || item.list == "few" ? " xrf-dim" : ""}`, "data-key": item.symbol, title: `${item.name}${told(item) ? `, ${told(item)}` : ""}: show its map`,
      "aria-pressed": String(item.symbol == model.value), onkeydown: (e) => keys(e, i), onclick: () => model.send_msg({choose: item.symbol})},
      item.src ? h("img", {src: item.src, alt: `Map of ${item.name}`, draggable: "false"}) : h("span", {class: "xrf-skeleton"}),
      h("span", {class: "xrf-row"}, h("b", {}, item.symbol), h("small", {class: "xrf-num"}, item.share ? percent(item.share) : "–")),
      h("small", {class: "xrf-said"}, told(item) || item.name)))), arrange)
  const observer = new ResizeObserver(arrange)
  observer.observe(el)
  model.on("remove", () => observer.disconnect())
  model.on("opened", () => requestAnimationFrame(() => { arrange(); el.querySelector(`[data-key="${model.value}"]`)?.focus({preventScroll: false}) }))
}
export default {render}
