function render({model, view, el}) {
  show(model, view, el, ["items", "value"], () => h("div", {class: "xrf-strip", "data-scroll": "strip"},
    model.items.map((item) => h("button", {
      class: "xrf-thumb", "data-key": item.symbol, title: `${item.name}: show its map`,
      "aria-pressed": String(item.symbol == model.value), onclick: () => { model.value = item.symbol }},
      h("img", {src: item.src, alt: `Small map of ${item.name}`, draggable: "false",
        onload: ({target}) => { if (target.naturalWidth > 6 * target.naturalHeight) target.style.objectFit = "fill" }}), h("b", {}, item.symbol)))))
}
export default {render}
