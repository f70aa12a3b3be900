// Two buttons of the top bar, and the receiving end of a download. A file arrives in pieces, each
// asked for by its number: a long one neither blocks the server nor fills its memory.
function render({model, view, el}) {
  let file = null, parts = []
  const give = () => {
    const url = URL.createObjectURL(new Blob(parts, {type: file.type}))
    h("a", {href: url, download: file.name}).click()
    setTimeout(() => URL.revokeObjectURL(url), 60000)
    parts = []
  }
  model.on("msg:custom", (event) => {
    const piece = event.data ?? event
    if (piece.index == 0) { file = piece; parts = [] }
    if (!file || piece.id != file.id) return
    parts.push(piece.bytes)
    if (parts.length == file.pieces) { give(); model.send_msg({received: file.id}) }
    else model.send_msg({next: parts.length, id: file.id})
  })
  show(model, view, el, ["busy", "title", "is_open"], () => h("div", {class: "xrf-exports"},
    h("button", {class: "xrf-button xrf-with-icon", "data-key": "png", disabled: model.busy || !model.title,
      title: model.title ? `Save the map shown as a picture with scale bar and caption: ${model.title}` : "No map to save yet",
      onclick: () => model.send_msg({quick: true})}, icon("download"), model.busy ? "Drawing…" : "PNG"),
    h("button", {class: "xrf-button xrf-toggle", "data-key": "export", "aria-pressed": String(model.is_open),
      title: "Take maps, spectra, a report or a script home", onclick: () => model.send_msg({open: true})}, "Export")))
}
export default {render}
