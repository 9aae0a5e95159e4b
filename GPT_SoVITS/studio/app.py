"""The web application: pages per language, live speech, and the headers that keep it all local."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import gradio as gr
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from GPT_SoVITS.studio.frame import CSS, build_pages, theme
from GPT_SoVITS.studio.words import LANGUAGES
from GPT_SoVITS.studio.workshop import Workshop

MAX_UPLOAD = "2gb"  # published checkpoints are large; sounds are checked by their own limits
HOSTS = ["127.0.0.1", "localhost", "[::1]"]
# Whatever the pages' libraries would like to load from elsewhere: the browser refuses.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' blob: data:; worker-src 'self' blob:; "
    "frame-ancestors 'none'"
)
Next = Callable[[Request], Awaitable[Response]]


def build_app(workshop: Workshop) -> FastAPI:
    """One application: `/en/`, `/zh/`, `/live/TOKEN`, `/health`."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)

    @app.middleware("http")
    async def _local(request: Request, following: Next) -> Response:
        response = await following(request)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.get("/")
    def _first(request: Request) -> RedirectResponse:
        wanted = request.headers.get("accept-language", "")
        return RedirectResponse("/zh/" if wanted.lower().startswith("zh") else "/en/")

    @app.get("/health")
    def _health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/live/{token}")
    def _live(token: str) -> Response:
        chunks = workshop.live.read(token)
        if chunks is None:
            return Response("no such stream", status_code=404, media_type="text/plain")
        return StreamingResponse(
            chunks, media_type="audio/wav", headers={"Cache-Control": "no-store"}
        )

    for language in LANGUAGES:
        pages = build_pages(workshop, language)
        gr.mount_gradio_app(
            app,
            pages,
            path=f"/{language}",
            footer_links=[],
            run_history=False,
            show_error=True,
            max_file_size=MAX_UPLOAD,
            ssr_mode=False,
            theme=theme(),
            css=CSS,
            pwa=False,
            mcp_server=False,
        )
    return app
