// The spectrum of a component: its outline, the energies, and the main lines of likely elements.
function render({model, view, el}) {
  const W = 600, H = 96, FLOOR = 76
  show(model, view, el, ["points", "marks"], () => {
    if (model.points.length < 2) return null
    const low = model.points[0][0], high = model.points[model.points.length - 1][0]
    const x = (kev) => (kev - low) / (high - low) * W, y = (height) => FLOOR - height * (FLOOR - 20)
    const step = [0.5, 1, 2, 5, 10].find((s) => (high - low) / s <= 9) ?? 20
    const ticks = []
    for (let kev = Math.ceil(low / step) * step; kev <= high; kev += step) ticks.push(kev)
    const path = model.points.map(([kev, height], i) => `${i ? "L" : "M"}${x(kev).toFixed(1)} ${y(height).toFixed(1)}`).join("")
    const percent = (kev) => `left:${(kev - low) / (high - low) * 100}%`
    const box = h("div", {class: "xrf-small-spectrum", role: "img", "aria-label": model.label})
    box.innerHTML = `<svg viewBox="0 0 ${W} ${H}" preserveAspectRatio="none" aria-hidden="true">
      <path d="${path}L${W} ${FLOOR}L0 ${FLOOR}Z" class="xrf-outline"/></svg>`
    let ends = [-1, -1]
    for (const [kev, name] of [...model.marks].sort((a, b) => a[0] - b[0])) {
      const at = (kev - low) / (high - low), level = ends[0] + 0.05 <= at ? 0 : 1
      ends[level] = at
      box.append(h("b", {style: `${percent(kev)};top:${level * 14}px`}, name))
    }
    for (const kev of ticks) if ((kev - low) / (high - low) < 0.85) box.append(h("small", {style: percent(kev)}, String(kev)))
    box.append(h("small", {style: "right:0;transform:none"}, "keV"))
    return box
  })
}
export default {render}
