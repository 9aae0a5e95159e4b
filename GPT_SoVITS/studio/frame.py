"""The frame of all pages: header, language, seven tabs; the address says which page is open."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from GPT_SoVITS.studio.pages import dataset, evaluate, speak, talk, train, transcribe, voices
from GPT_SoVITS.studio.words import LANGUAGES, words
from GPT_SoVITS.studio.workshop import Workshop

PAGES = {
    "talk": talk.build,
    "speak": speak.build,
    "dataset": dataset.build,
    "train": train.build,
    "transcribe": transcribe.build,
    "evaluate": evaluate.build,
    "voices": voices.build,
}
# The open page stands in the address, so that a reload or the other language comes back to it.
OPEN_JS = """() => {
    const languages = () => {
        for (const link of document.querySelectorAll('a.language')) link.search = location.search;
    };
    document.addEventListener('click', event => {
        const button = event.target.closest('button[role=tab][id^=page-]');
        if (!button) return;
        const address = new URL(location.href);
        address.searchParams.set('tab', button.id.split('-')[1]);
        history.replaceState(null, '', address);
        languages();
    });
    const open = new URLSearchParams(location.search).get('tab');
    document.getElementById(`page-${open}-button`)?.click();
    languages();
}"""
CSS = """
.gradio-container { width: 100%; max-width: min(1180px, 100vw) !important; margin: auto; }
.gradio-container > * { min-width: 0; }
.studio-head { display: flex; gap: 1rem; align-items: baseline; flex-wrap: wrap; }
.studio-head h1 { margin: 0; font-size: 1.4rem; }
.studio-head .languages { margin-left: auto; }
.hint { opacity: .8; }
.why { overflow-wrap: anywhere; }
.job { border: 1px solid var(--border-color-primary); border-radius: 8px; padding: .7rem; }
.job-head { display: flex; gap: .6rem; justify-content: space-between; align-items: start;
            overflow-wrap: anywhere; margin-bottom: .4rem; }
.job progress { width: 100%; height: .9rem; accent-color: var(--color-accent); }
.badge { border-radius: 6px; padding: 0 .5rem; color: #fff; background: #555; height: 1.6em;
         white-space: nowrap; }
.badge.running, .badge.stopping, .badge.waiting { background: #1d4ed8; }
.badge.done { background: #15803d; }
.badge.noted, .badge.stopped { background: #a16207; }
.badge.failed, .badge.lost { background: #b91c1c; }
.numbers { display: flex; gap: 1rem; flex-wrap: wrap; }
.number { display: flex; flex-direction: column; min-width: 5rem; }
.number b { font-size: 1.5rem; }
.scroll { overflow-x: auto; }
.scroll th { text-align: left; }
.scroll td { white-space: nowrap; }
#voices-differences table { width: 100%; table-layout: fixed; }
#voices-differences :is(td, th) { overflow-wrap: anywhere; text-align: left; }
#voices-differences :is(td, th):first-child { width: 34%; }
tr.differs td { font-weight: 700; color: var(--color-accent); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .8rem; max-height: 24rem;
      overflow-y: auto; }
#talk-player audio { width: 100%; }
#talk-bubbles .placeholder-content { padding: .7rem; }
button[aria-label=Share] { display: none !important; }  /* nothing leaves the machine */
.figures img { max-width: 100%; }
@media (max-width: 480px) {
    .gradio-container, .gradio-container .main { padding: .4rem !important; }
    .form > .block, .row > .block { min-width: 100% !important; }
    #pages button[role=tab] { padding: .3rem .5rem; }
    .buttons button { min-width: 40% !important; }
    #voices-differences :is(td, th) { font-size: .75rem; padding: .25rem; }
    .table-wrap th * { overflow-wrap: normal !important; word-break: normal !important; }
}
"""


def theme() -> gr.themes.Base:
    """System fonts: nothing is fetched."""
    fonts = ["system-ui", "Segoe UI", "Noto Sans CJK SC", "Microsoft YaHei", "sans-serif"]
    return gr.themes.Soft(font=fonts, font_mono=["ui-monospace", "monospace"])


def build_pages(workshop: Workshop, language: str) -> gr.Blocks:
    """All seven pages in one language."""
    t = words(language)
    pages: gr.Blocks
    with gr.Blocks(analytics_enabled=False, title=t("title"), delete_cache=(3600, 86400)) as pages:
        gr.HTML(_header(language))
        loads: list[tuple[Any, Any]] = []
        with gr.Tabs(elem_id="pages", overflow_behavior="wrap"):
            for name, build in PAGES.items():
                with gr.Tab(t(f"page.{name}"), id=name, elem_id=f"page-{name}"):
                    loads += build(workshop, t)
        pages.load(None, None, None, js=OPEN_JS)
        for function, outputs in loads:
            pages.load(function, None, outputs, show_progress="hidden")
    return pages


def _header(language: str) -> str:
    t = words(language)
    links = " · ".join(
        f"<a class='language' hreflang='{code}' href='/{code}/'>{html.escape(name)}</a>"
        if code != language
        else f"<b>{html.escape(name)}</b>"
        for code, name in LANGUAGES.items()
    )
    return (
        f"<div class='studio-head'><h1>{html.escape(t('title'))}</h1>"
        f"<span class='hint'>{html.escape(t('subtitle'))}</span>"
        f"<nav class='languages' aria-label='language'>{links}</nav></div>"
    )
