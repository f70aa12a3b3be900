// Which element lends its map to which colour, and between which percentiles of its pixels.
function render({model, view, el}) {
  const field = (place, item, name, words) => h("label", {class: "xrf-field", title: words[1]}, words[0],
    h("input", {type: "number", class: "xrf-percent", min: 0, max: 100, step: 0.5, value: item[name], "data-key": `${name}${place}`,
      "aria-label": `${item.symbol || "Colour"}: ${words[1]}`, onchange: (e) => {
        const value = parseFloat(e.target.value)
        const low = name == "low" ? value : item.low, high = name == "high" ? value : item.high
        if (low >= 0 && low < high && high <= 100) model.send_msg({place, low, high})
        else e.target.value = item[name]
      }}), "%")
  show(model, view, el, ["items", "options"], () => model.items.map((item, place) => h("div", {class: "xrf-channel", role: "group", "aria-label": item.word},
    h("div", {class: "xrf-row"}, h("i", {style: `background:${item.colour}`}),
      h("select", {class: "xrf-select", "aria-label": `Element in ${item.word}`, "data-key": `element${place}`,
        onchange: (e) => model.send_msg({place, symbol: e.target.value})},
        model.options.map(([word, value]) => h("option", {value, selected: value == item.symbol}, word)))),
    h("div", {class: "xrf-row xrf-small"}, field(place, item, "low", ["dark below", "Percent of the pixels that stay dark"]),
      field(place, item, "high", ["bright from", "Percent of the pixels that are below full brightness"])),
    h("div", {class: "xrf-small"}, item.text))))
}
export default {render}
