// Settings of the map. The end of the colours moves here, in the browser; the server hears of it at release.
function render({model, view, el}) {
  const SVG = "http://www.w3.org/2000/svg", WIDTH = 288, HEIGHT = 56
  const number = (v) => model.unit == "" ? v.toFixed(2)
    : v.toLocaleString("en-US", {maximumFractionDigits: Math.abs(v) < 100 ? 1 : 0})
  const share = (p) => `${+p.toFixed(2)} %`
  const act = (name, label, hint) => h("button", {class: "xrf-tool xrf-framed", "data-key": name, title: hint ?? label, "aria-label": label,
    onclick: () => model.send_msg({do: name})}, icon(name))
  const link = (name, label) => h("button", {class: "xrf-link", "data-key": name, onclick: () => model.send_msg({do: name})}, label)
  const section = (title, ...content) => h("section", {class: "xrf-section"}, h("h3", {}, title), ...content)
  const svg = (tag, attributes) => {
    const node = document.createElementNS(SVG, tag)
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value)
    return node
  }
  const colours = () => section("Colours", h("div", {class: "xrf-palettes", role: "radiogroup", "aria-label": "Colours of the map"},
    model.palettes.map(([name, words, ramp]) => h("button", {class: "xrf-palette", role: "radio", "data-key": name, title: words,
      "aria-checked": String(name == model.palette), "aria-label": words, onclick: () => model.send_msg({palette: name})},
    h("i", {style: `background:${ramp}`}), h("span", {}, words)))))
  const ends = () => {
    const {counts, low, high, quantiles, usual} = model.range
    if (!counts) return section("Range of the colours", h("p", {class: "xrf-hint"}, "There is no map yet."))
    const place = (v) => Math.min(Math.max((v - low) / (high - low || 1), 0), 1) * WIDTH
    const most = Math.log1p(Math.max(...counts, 1)), step = WIDTH / counts.length
    const picture = svg("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, class: "xrf-histogram", role: "img",
      "aria-label": `How often values occur, from ${number(low)} to ${number(high)}`})
    counts.forEach((n, i) => {
      const size = Math.log1p(n) / most * (HEIGHT - 6)
      if (n) picture.append(svg("rect", {x: i * step, y: HEIGHT - size, width: Math.max(step - 1, 1), height: size}))
    })
    const mark = (v, name) => svg("line", {x1: place(v), x2: place(v), y1: 0, y2: HEIGHT, class: name})
    const from = mark(model.threshold, "xrf-from"), to = mark(usual, "xrf-to")
    picture.append(from, to)
    const nearest = (p) => quantiles.reduce((best, each, i) => Math.abs(each[0] - p) < Math.abs(quantiles[best][0] - p) ? i : best, 0)
    const input = h("input", {type: "range", class: "xrf-range xrf-plain", min: 0, max: quantiles.length - 1, step: 1, "data-key": "top",
      "aria-label": "Upper end of the colours, percentile", value: model.percentile == null ? quantiles.length - 1 : nearest(model.percentile)})
    const value = h("output", {class: "xrf-value"})
    const paint = (moved) => {
      const [p, v] = quantiles[+input.value], now = moved || model.percentile != null
      const end = now ? v : usual
      value.textContent = now ? `${share(p)}: ${number(end)}` : number(end)
      input.setAttribute("aria-valuetext", now ? `${share(p)} of the pixels lie below ${number(end)}` : `the usual end, ${number(end)}`)
      input.style.setProperty("--at", `${input.value / (quantiles.length - 1) * 100}%`)
      for (const key of ["x1", "x2"]) to.setAttribute(key, place(end))
      if (!moved) return
      const mapper = view.model.document?.get_model_by_name(model.mapper)
      mapper?.setv({high: Math.max(end, mapper.low + 1e-6)}, {sync: false})
    }
    input.addEventListener("input", () => paint(true))
    input.addEventListener("change", () => model.send_msg({top: quantiles[+input.value][0]}))
    paint(false)
    return section("Range of the colours", picture,
      h("div", {class: "xrf-row xrf-small"}, h("span", {}, number(low)), h("span", {}, number(high))),
      h("div", {class: "xrf-row", title: "Values above this end all have the last colour"}, h("span", {class: "xrf-label"}, "Upper end, percentile"),
        model.percentile != null && link("usual_range", "reset"), value), input,
      h("p", {class: "xrf-hint"}, `The lower end is the threshold, ${number(model.threshold)}. Bars: how many pixels, logarithmic.`))
  }
  const even = () => section("Even out counts", h("div", {role: "radiogroup", "aria-label": "Even out counts"},
    model.evens.map(([value, words, not]) => h("label", {class: "xrf-radio", title: not}, h("input", {type: "radio", name: "even", value, disabled: !!not,
      checked: value == model.normalise, "data-key": `even-${value}`, onchange: () => model.send_msg({normalise: value})}), h("span", {}, words)))),
    h("p", {class: "xrf-hint"}, model.normalise_hint))
  const scale = () => {
    const field = h("input", {type: "text", inputmode: "decimal", class: "xrf-number", "aria-label": "Distance of pixels in mm", "data-key": "pitch",
      placeholder: "unknown", value: model.pixel_size_mm == null ? "" : String(+model.pixel_size_mm.toPrecision(6))})
    field.addEventListener("change", () => model.send_msg({pixel_size: field.value}))
    return section("Scale", h("label", {class: "xrf-row"}, h("span", {class: "xrf-label"}, "Distance of pixels, mm"),
      model.pixel_size_entered && link("stated_size", "as in the file"), field), h("p", {class: "xrf-hint"}, model.pixel_size_hint))
  }
  const photograph = () => {
    const open = link("photograph", model.photo == null ? "Lay a photograph over the map" : "Choose or move it")
    if (model.photo == null) return section("Photograph", open)
    const input = h("input", {type: "range", class: "xrf-range xrf-plain", min: 0, max: 100, step: 1, value: model.photo, "data-key": "photo",
      "aria-label": "Photograph over the map, percent"}), value = h("output", {class: "xrf-value"})
    const paint = () => {
      value.textContent = +input.value ? `${input.value} %` : "hidden"
      input.style.setProperty("--at", `${input.value}%`)
    }
    input.addEventListener("input", () => {
      paint()
      const layer = view.model.document?.get_model_by_name("xrf-map-figure")?.renderers.find((r) => r.name == "photograph")
      layer?.glyph.setv({global_alpha: {value: input.value / 100}}, {sync: false})
    })
    input.addEventListener("change", () => model.send_msg({photo: +input.value}))
    paint()
    return section("Photograph", h("div", {class: "xrf-row", title: "0: only the map; 100: only the photograph"},
      h("span", {class: "xrf-label"}, "Over the map, %"), value), input, open)
  }
  const picture = () => section("Picture",
    h("div", {class: "xrf-actions"},
      act("rotate_left", "Turn left", "Turn the picture by 90° to the left"), act("rotate_right", "Turn right", "Turn the picture by 90° to the right"),
      act("flip", "Flip left and right"), act("flip_down", "Flip top and bottom")),
    h("p", {class: "xrf-hint"}, model.is_cropped ? "A part of the scan is shown. " : "To show a part of the scan, draw a box with the crop tool on the map. ",
      model.is_turned ? "The picture is turned; columns and rows are still told as scanned." : ""),
    (model.is_cropped || model.is_turned) && h("div", {class: "xrf-actions"}, model.is_cropped && link("uncrop", "Whole scan"), link("as_scanned", "As scanned")))
  show(model, view, el, ["palettes", "palette", "range", "percentile", "threshold", "unit", "evens", "normalise", "normalise_hint", "pixel_size_mm",
    "pixel_size_hint", "pixel_size_entered", "is_cropped", "is_turned", "photo"],
  () => h("div", {class: "xrf-settings"}, colours(), ends(), even(), scale(), photograph(), picture()))
}
export default {render}
