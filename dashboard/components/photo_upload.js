// Takes a photograph by a click or a drop and sends it in pieces; each waits for the one before.
const PIECE = 2 ** 21
function render({model, view, el}) {
  let file = null
  const encode = (piece) => new Promise((done) => {
    const reader = new FileReader()
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1))
    reader.readAsDataURL(piece)
  })
  const send = async (from) => {
    if (!file) return
    const piece = await encode(file.slice(from, from + PIECE))
    model.send_msg({name: file.name, size: file.size, from, piece, last: from + PIECE >= file.size})
  }
  const take = (chosen) => {
    if (!chosen) return
    file = chosen
    if (file.size > model.most_bytes) { model.send_msg({name: file.name, size: file.size, too_large: true}); file = null; return }
    send(0)
  }
  model.on("received", () => { if (file && model.received > 0 && model.received < file.size) send(model.received); else file = null; update() })
  const update = show(model, view, el, ["has_photo"], () => {
    const input = h("input", {type: "file", accept: ".png,.jpg,.jpeg,.tif,.tiff", style: "display:none", onchange: (e) => take(e.target.files[0])})
    const box = h("div", {class: "xrf-drop",
      ondragover: (e) => { e.preventDefault(); box.classList.add("xrf-over") }, ondragleave: () => box.classList.remove("xrf-over"),
      ondrop: (e) => { e.preventDefault(); box.classList.remove("xrf-over"); take(e.dataTransfer.files[0]) }},
      h("button", {class: "xrf-button", "data-key": "choose", onclick: () => input.click()}, model.has_photo ? "Another photograph" : "Choose a photograph"),
      h("span", {class: "xrf-small"}, file ? `${percent(model.received / file.size)} of ${file.name}` : "or drop it here: PNG, JPEG or TIFF"), input)
    return box
  })
}
export default {render}
