// The grid of a self-organising map: each node with the mean spectrum of its pixels.
function render({model, view, el}) {
  const NS = "http://www.w3.org/2000/svg"
  const curve = (heights, colour) => {
    const svg = document.createElementNS(NS, "svg"), path = document.createElementNS(NS, "path"), n = heights.length - 1
    svg.setAttribute("viewBox", `0 0 ${n} 100`); svg.setAttribute("preserveAspectRatio", "none"); svg.setAttribute("aria-hidden", "true")
    path.setAttribute("d", `M0 100${heights.map((v, i) => `L${i} ${100 - v}`).join("")}L${n} 100Z`)
    path.style.cssText = `fill:${colour};fill-opacity:.35;stroke:${colour}`
    svg.append(path)
    return svg
  }
  show(model, view, el, ["items", "rows", "columns", "value", "axis", "joined"], () => {
    const by = new Map(model.items.map((item) => [item.number, item])), into = new Map(model.joined)
    const empty = (number) => {
      const other = by.get(into.get(number))
      if (!other) return h("div", {class: "xrf-node xrf-small"}, `${number + 1}: no pixels`)
      return h("button", {class: "xrf-node", "data-key": `n${number}`, "aria-pressed": String(other.number === model.value),
          title: `Node ${number + 1} was merged into ${other.name}`, onclick: () => model.send_msg({number: other.number})},
        h("span", {class: "xrf-nodehead"}, h("i", {style: `background:${other.colour}`}), h("span", {class: "xrf-small"}, `${number + 1}: in ${other.name}`)))
    }
    const cells = Array.from({length: model.rows * model.columns}, (_, number) => by.get(number) ?? number)
    return h("div", {class: "xrf-nodebox"},
      h("div", {class: "xrf-nodes", style: `grid-template-columns:repeat(${model.columns},minmax(0,1fr));grid-template-rows:repeat(${model.rows},minmax(0,1fr))`},
        cells.map((item) => typeof item == "number" ? empty(item)
          : h("button", {class: "xrf-node", "data-key": `n${item.number}`, "aria-pressed": String(item.number === model.value),
              title: `${item.name}, ${thousands(item.size)} pixels, ${percent(item.share)}${item.text ? `: ${item.text}` : ""}`,
              onclick: () => model.send_msg({number: item.number})},
            h("span", {class: "xrf-nodehead"}, h("i", {style: `background:${item.colour}`}), h("b", {}, item.name), h("small", {}, percent(item.share))),
            curve(item.heights, item.colour), h("span", {class: "xrf-small xrf-nodeels"}, item.elements.join(" "))))),
      h("p", {class: "xrf-hint"}, model.axis))
  })
}
export default {render}
