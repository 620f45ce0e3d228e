# One image for all services: `docker run IMAGE run forecaster`, `docker run IMAGE replay --help`.
FROM python:3.12-slim AS build
RUN --mount=type=cache,target=/root/.cache pip install --disable-pip-version-check --root-user-action ignore uv==0.13.9
COPY requirements.lock .
RUN --mount=type=cache,target=/root/.cache uv venv /opt/venv && \
    uv pip install --python /opt/venv --link-mode copy --compile-bytecode --require-hashes --no-deps --requirements requirements.lock
WORKDIR /app
COPY backtest backtest
COPY cli cli
COPY replay replay
COPY services services
COPY shared shared
RUN python -m compileall -q .

FROM python:3.12-slim
RUN useradd --uid 10001 --create-home tetouan && install --directory --owner tetouan --group tetouan /state
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
COPY deploy/healthy /usr/local/bin/healthy
WORKDIR /app
USER tetouan
# The commands run as modules of /app, so that the image needs no build tools. BLAS threads only fight over small matrices.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    OPENBLAS_NUM_THREADS=1 \
    DO_NOT_TRACK=1 \
    TETOUAN_STATE_DIR=/state \
    TETOUAN_HTTP_HOST=0.0.0.0 \
    TETOUAN_HTTP_PORT=8000 \
    TETOUAN_LOG_FORMAT=json
VOLUME /state
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=4s --start-period=600s --start-interval=1s --retries=3 \
    CMD healthy "$TETOUAN_HTTP_PORT" readyz
ENTRYPOINT ["python", "-m", "cli"]
