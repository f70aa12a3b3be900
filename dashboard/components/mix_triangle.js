// Which colours the mix is of: a triangle whose corners are the elements.
function render({model, view, el}) {
  const S = 160, HEIGHT = Math.round(S * 0.866)
  show(model, view, el, ["colours", "names"], () => {
    if (model.names.length < 3 || model.colours.length < 3) return null
    const canvas = h("canvas", {width: S, height: HEIGHT, role: "img", "aria-label": `Colours of the mix: ${model.names.map((name, i) => `${name} ${model.words[i]}`).join(", ")}`})
    const context = canvas.getContext("2d"), image = context.createImageData(S, HEIGHT)
    for (let j = 0; j < HEIGHT; j++) for (let i = 0; i < S; i++) {
      const a = 1 - j / HEIGHT, b = (S - i) / S - a / 2, c = i / S - a / 2
      const at = 4 * (j * S + i)
      if (b < 0 || c < 0) continue
      // The strongest shines in full: the middle is what all three give together.
      const top = Math.max(a, b, c), shares = [a / top, b / top, c / top]
      for (let k = 0; k < 3; k++)
        image.data[at + k] = Math.min(255, shares.reduce((sum, share, n) => sum + share * model.colours[n][k], 0))
      image.data[at + 3] = 255
    }
    context.putImageData(image, 0, 0)
    return h("div", {class: "xrf-triangle"}, h("b", {}, model.names[0]), canvas,
      h("div", {class: "xrf-row"}, h("b", {}, model.names[1]), h("b", {}, model.names[2])))
  })
}
export default {render}
