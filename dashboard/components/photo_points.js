// The pairs of points with how far each lies from its place.
function render({model, view, el}) {
  show(model, view, el, ["items", "told", "summary", "can_refine"], () => [
    h("p", {class: "xrf-hint", role: "status"}, model.told),
    model.items.length > 0 && h("table", {class: "xrf-points"},
      h("thead", {}, h("tr", {}, h("th", {}, "Point"), h("th", {}, "Off by, px"), h("th", {}))),
      h("tbody", {}, model.items.map((item) => h("tr", {},
        h("td", {}, h("b", {}, String(item.n))), h("td", {class: "xrf-num"}, item.away),
        h("td", {}, h("button", {class: "xrf-tool", title: `Remove point ${item.n}`, "aria-label": `Remove point ${item.n}`,
          onclick: () => model.send_msg({remove: item.n - 1})}, icon("close"))))))),
    model.summary && h("p", {class: "xrf-hint"}, h("b", {}, model.summary)),
    h("div", {class: "xrf-actions", style: "margin-top:12px"},
      h("button", {class: "xrf-button", disabled: !model.can_refine, title: "Moves the photograph until it and the counts of the scan tell most of one another",
        onclick: () => model.send_msg({refine: true})}, "Refine automatically"),
      model.items.length > 0 && h("button", {class: "xrf-button", onclick: () => model.send_msg({clear: true})}, "Clear points"),
      h("button", {class: "xrf-button", title: "Take the photograph away from this data set", onclick: () => model.send_msg({forget: true})}, "Remove photograph"))])
}
export default {render}
