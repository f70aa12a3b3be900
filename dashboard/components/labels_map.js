// The clusters as a map, and what can be done with the chosen one.
function render({model, view, el}) {
  show(model, view, el, ["src", "title", "text", "actions", "hint"], () => [
    model.src && h("img", {class: "xrf-labelsmap", src: model.src, alt: "Map of the clusters", draggable: "false",
      onclick: (event) => {
        const r = event.target.getBoundingClientRect(), img = event.target
        const s = Math.min(r.width / img.naturalWidth, r.height / img.naturalHeight)
        const x = (event.clientX - r.x - (r.width - s * img.naturalWidth) / 2) / (s * img.naturalWidth)
        const y = (event.clientY - r.y - (r.height - s * img.naturalHeight) / 2) / (s * img.naturalHeight)
        if (x >= 0 && x < 1 && y >= 0 && y < 1) model.send_msg({at: [x, y]})
      }}),
    h("div", {class: "xrf-beside"},
      model.title && h("div", {class: "xrf-selected"}, h("i", {style: `background:${model.colour}`}), h("strong", {}, model.title)),
      model.text && h("p", {class: "xrf-hint"}, model.text),
      h("div", {class: "xrf-inline"}, model.actions.map(([word, name, told]) => h("button", {class: "xrf-button xrf-toggle", "data-key": name, title: told,
        onclick: () => model.send_msg({action: name})}, word))),
      h("p", {class: "xrf-hint"}, model.hint))])
}
export default {render}
