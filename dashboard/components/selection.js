function render({model, view, el}) {
  show(model, view, el, ["title", "detail", "items", "value", "busy"], () => [
    h("div", {class: "xrf-row"}, h("span", {class: "xrf-label"}, "Selection"),
      model.title && h("button", {class: "xrf-link", title: "Clear the selection (Esc)", onclick: () => model.send_msg({clear: true})}, "clear")),
    model.title ? h("div", {class: "xrf-selected"}, h("i", {style: `background:${model.colour}`}), h("span", {}, model.title), h("small", {}, model.detail))
      : h("p", {class: "xrf-hint"}, "Draw with the lasso or the box on the map or on the embedding, or choose a cluster. Its spectrum and elements appear here."),
    model.title && h("div", {class: "xrf-found", "data-scroll": "found"}, model.items.map((item) => h("button", {
      class: "xrf-prob", "data-key": item.symbol, "aria-pressed": String(item.symbol == model.value),
      title: `Probability that ${item.name} is visible here: ${item.probability.toFixed(3)}`,
      onclick: () => { model.value = item.symbol }},
      h("b", {}, item.symbol), h("span", {class: "xrf-bar", style: `--share:${item.probability * 100}%`}), h("small", {}, item.probability.toFixed(2))))),
    model.title && !model.items.length && h("p", {class: "xrf-hint"}, model.busy ? "Identifying…" : "No element is above its threshold in this spectrum.")])
}
export default {render}
