// What can be taken home, and how the picture will look.
function render({model, view, el}) {
  const take = (file) => {
    if (!file) return
    if (file.size > model.most_bytes) { model.send_msg({file: file.name, too_large: true}); return }
    const reader = new FileReader()
    reader.onload = () => model.send_msg({file: file.name, read: reader.result})
    reader.readAsText(file)
  }
  const reading = () => {
    const input = h("input", {type: "file", accept: ".geojson,.json", style: "display:none", onchange: (e) => take(e.target.files[0])})
    const [told, kind] = model.read_told
    return h("div", {class: "xrf-export-read"},
      h("button", {class: "xrf-link", "data-key": "read", title: "Keep the polygons of a GeoJSON file as regions of this scan", onclick: () => input.click()}, "Read regions from a file"), input,
      told && h("span", {class: kind ? "xrf-export-problem" : "", role: kind ? "alert" : "status"}, told))
  }
  const item = (each) => {
    const running = model.running == each.id
    return h("div", {class: "xrf-export-row"},
      h("div", {class: "xrf-export-words"}, h("strong", {}, each.title), h("span", {}, each.told),
        model.problem_of == each.id && h("span", {class: "xrf-export-problem", role: "alert"}, model.problem),
        each.id == "geojson" && reading()),
      h("span", {class: "xrf-small xrf-num", title: "About, before it is compressed"}, each.size),
      running
        ? h("div", {class: "xrf-export-run", role: "status"}, h("span", {class: "xrf-small"}, model.message),
            h("span", {class: "xrf-progress"}, h("div", {style: `width:${model.fraction * 100}%`})),
            h("button", {class: "xrf-link", "data-key": `stop-${each.id}`, onclick: () => model.send_msg({cancel: true})}, "cancel"))
        : h("button", {class: "xrf-button xrf-with-icon", "data-key": each.id, disabled: Boolean(model.running) || !each.ready,
            "aria-label": `Download ${each.title}`, title: each.ready ? each.file : each.why,
            onclick: () => model.send_msg({make: each.id})}, icon("download"), "Download"))
  }
  let heard = ""
  const reveal = () => {
    // What came of a file is said at the end of a long list.
    if (model.read_told[0] == heard) return
    heard = model.read_told[0]
    el.querySelector(".xrf-export-read > [role]")?.scrollIntoView({block: "nearest"})
  }
  show(model, view, el, ["groups", "preview", "caption", "running", "fraction", "message", "problem", "problem_of", "read_told"], () =>
    h("div", {class: "xrf-export"},
      h("div", {class: "xrf-export-list", "data-scroll": "exports"}, !model.groups.length && h("p", {class: "xrf-hint"}, model.caption), model.groups.map((group) => h("section", {},
        h("h3", {}, group.title), group.items.map(item)))),
      h("figure", {class: "xrf-export-preview"},
        model.preview ? h("img", {src: model.preview, alt: model.caption}) : model.groups.length > 0 && h("p", {class: "xrf-hint"}, model.caption))), reveal)
}
export default {render}
