// The status bar, the keys of the page, and the address bar (replaced, not pushed: no step back by mistake).
function render({model, view, el}) {
  const address = () => {
    if (model.query) window.history.replaceState({}, "", window.location.pathname + model.query + window.location.hash)
  }
  model.on("query", address)
  address()
  const page = [...view.model.document.all_models].find((m) => m.class_name == "Page")
  const theme = () => { document.documentElement.dataset.xrfTheme = page?.data.dark_theme ? "dark" : "light" }
  page?.data.properties.dark_theme.change.connect(theme)
  theme()
  const key = (event) => {
    const at = event.composedPath()[0]
    if (event.key == "Escape" && !["INPUT", "TEXTAREA"].includes(at?.tagName)) model.send_msg({key: "Escape"})
  }
  window.addEventListener("keydown", key)
  model.on("remove", () => window.removeEventListener("keydown", key))
  const left = (job) => job.remaining == null ? "" : job.remaining < 90 ? `, ${Math.max(1, Math.round(job.remaining))} s left`
    : `, ${Math.round(job.remaining / 60)} min left`
  show(model, view, el, ["facts", "jobs"], () => h("div", {class: "xrf-statusbar"},
    model.facts.map((fact) => h("span", {title: fact[1]}, fact[0])),
    h("span", {class: "xrf-grow"}),
    model.jobs.map((job) => h("span", {class: "xrf-job", title: job.message},
      h("span", {}, `${job.label}${left(job)}`),
      h("span", {class: "xrf-progress"}, h("div", {style: `width:${job.fraction * 100}%`})),
      h("button", {class: "xrf-link", "aria-label": `Cancel ${job.label}`, onclick: () => model.send_msg({cancel: job.id})}, "cancel")))))
}
export default {render}
