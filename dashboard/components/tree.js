// The condensed tree, upside down: width is pixels, downwards the pixels are more and more alike.
// A click makes a branch a cluster; the slider at its left cuts straight through.
function render({model, view, el}) {
  const NS = "http://www.w3.org/2000/svg", TOP = 8
  let at = null, width = 0, height = 0
  const draw = () => h("div", {class: "xrf-treebox"}, scale(), h("div", {class: "xrf-treeplot", "data-plot": true}))
  const scale = () => {
    const count = h("output", {class: "xrf-small"}, "")
    const input = h("input", {type: "range", class: "xrf-vertical", min: 0, max: 1000, step: 1, value: at ?? 0, "data-key": "line",
      "aria-label": "Cut the tree straight through, from few to many clusters", title: "Drag down to cut the tree straight through",
      oninput: () => { at = +input.value; line(); count.textContent = crossed(at / 1000) },
      onchange: () => model.send_msg({level: input.value / 1000})})
    return h("div", {class: "xrf-treescale"}, h("div", {class: "xrf-small xrf-treewords"}, h("span", {}, "less alike"), count, h("span", {}, "more alike")), input)
  }
  const crossed = (level) => {
    const n = model.branches.filter((b) => b.steps[0][0] <= level && level < b.steps.at(-1)[0]).length
    return `${n} cluster${n == 1 ? "" : "s"}`
  }
  const colour = (branch, by) => {
    for (let b = branch; b; b = by.get(b.parent)) {
      const chosen = model.chosen[b.i]
      if (chosen) return [chosen.colour, b === branch ? 1 : .55]
    }
    return ["var(--xrf-control)", .6]
  }
  const plot = () => el.querySelector("[data-plot]")
  const line = () => {
    const node = el.querySelector(".xrf-treeline")
    if (node) node.setAttribute("d", at == null ? "" : `M0 ${TOP + at / 1000 * (height - 2 * TOP)}H${width}`)
  }
  const paint = () => {
    const box = plot()
    if (!box) return
    const focused = el.getRootNode().activeElement?.dataset?.branch
    width = box.clientWidth; height = box.clientHeight
    if (!width || !height) return
    const by = new Map(model.branches.map((b) => [b.i, b]))
    const svg = document.createElementNS(NS, "svg")
    svg.setAttribute("width", width); svg.setAttribute("height", height)
    svg.setAttribute("role", "group"); svg.setAttribute("aria-label", "Tree of the clusters")
    const px = (x) => (x * width).toFixed(1), py = (y) => (TOP + y * (height - 2 * TOP)).toFixed(1)
    for (const branch of model.branches) {
      const path = document.createElementNS(NS, "path"), steps = branch.steps
      const left = steps.map(([y, a]) => `${px(a)} ${py(y)}`), right = steps.map(([y, , b]) => `${px(b)} ${py(y)}`).reverse()
      const [fill, opacity] = colour(branch, by), chosen = model.chosen[branch.i]
      path.setAttribute("d", `M${left.join("L")}L${right.join("L")}Z`)
      path.style.cssText = `fill:${fill};fill-opacity:${opacity}`
      path.setAttribute("class", `xrf-branch${chosen ? " xrf-on" : ""}${chosen && chosen.number === model.value ? " xrf-now" : ""}`)
      path.setAttribute("role", "button"); path.setAttribute("tabindex", chosen ? 0 : -1)
      path.dataset.branch = branch.i
      const said = `${chosen ? chosen.name : "Branch"}, ${thousands(branch.size)} pixels, ${percent(branch.share)}`
      path.setAttribute("aria-label", said); path.setAttribute("aria-pressed", String(!!chosen))
      const title = document.createElementNS(NS, "title")
      title.textContent = `${said}. ${chosen ? "Click to select it" : "Click to make it one cluster"}`
      path.append(title)
      path.addEventListener("click", () => model.send_msg({branch: branch.i}))
      path.addEventListener("keydown", (event) => step(event, branch, by))
      svg.append(path)
    }
    const cut = document.createElementNS(NS, "path")
    cut.setAttribute("class", "xrf-treeline")
    svg.append(cut)
    box.replaceChildren(svg)
    line()
    if (focused != null) svg.querySelector(`[data-branch="${focused}"]`)?.focus()
  }
  const step = (event, branch, by) => {
    const children = model.branches.filter((b) => b.parent === branch.i)
    const siblings = model.branches.filter((b) => b.parent === branch.parent && b !== branch)
    const next = {ArrowDown: children[0], ArrowUp: by.get(branch.parent), ArrowLeft: siblings[0], ArrowRight: siblings[0]}[event.key]
    if (next) { event.preventDefault(); el.querySelector(`[data-branch="${next.i}"]`)?.focus() }
    else if (event.key == "Enter" || event.key == " ") { event.preventDefault(); event.stopPropagation(); model.send_msg({branch: branch.i}) }
  }
  show(model, view, el, ["branches"], draw, paint)
  for (const name of ["chosen", "value"]) model.on(name, paint)
  const watch = new ResizeObserver(() => paint())
  watch.observe(el)
  model.on("remove", () => watch.disconnect())
}
export default {render}
