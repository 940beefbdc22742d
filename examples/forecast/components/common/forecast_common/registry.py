"""The model registry as the steps see it: which version did this run register, and who is Production.

A version carries the id of the Leat run that registered it as a tag, given in the very request that makes
it. So an attempt that is repeated finds what the first one left, however far that came.
MLflow marks versions by stage (deprecated, still there) and by alias. Both are kept; where a server has no
stages any more, the aliases alone decide.
"""

from forecast_common.rest import Rest, RestError
from forecast_common.step import StepError

RUN_TAG = "leat.run_id"
STAGING, PRODUCTION, ARCHIVED = "Staging", "Production", "Archived"
ALIAS = {STAGING: "staging", PRODUCTION: "production"}


class Registry:
    def __init__(self, uri):
        self._rest = Rest(uri)

    def version_of_run(self, name, run_id):
        """The version of model `name` that Leat run `run_id` registered, or None.

        Of several (two attempts at the very same time) the first made, so that everyone takes the same.
        """
        if "'" in name + run_id:
            raise StepError(f"a quote in model name {name!r} or run id {run_id!r}")
        wanted = f"name='{name}' and tags.`{RUN_TAG}` = '{run_id}'"
        found = self._rest.get("model-versions/search", filter=wanted).get("model_versions", [])
        return min(found, key=lambda version: int(version["version"]), default=None)

    def register(self, name, run_id, tags, description, log_model):
        """Makes the run's version unless it is there, and sees to it that a new one is Staging.

        log_model() is called only when there is none yet; it returns {source, run_id, model_id} as MLflow's
        request takes them. Returns the version's number, as text like everywhere in MLflow.
        """
        version = self.version_of_run(name, run_id)
        if version is None:
            version = self._create(name, run_id, log_model(), tags, description)
        self._stage_as_new(name, version)
        return version["version"]

    def promote(self, name, number, others):
        """Makes `number` of `name` the only Production version over `name` and the models `others`.

        Archives first: a kill in between leaves no Production, never two, and a repeat mends it. Within
        `name` MLflow does both in one transaction. Returns the (name, number) pairs that were archived.
        """
        archived = []
        for model in others:
            for old in self._production(model):
                self._transition(model, old, ARCHIVED)
                archived.append((model, old))
            self._drop_alias(model, PRODUCTION)
        archived += [(name, old) for old in self._production_now(name) - {number}]
        self._transition(name, number, PRODUCTION)
        self._set_alias(name, number, PRODUCTION)
        if self._model(name)["aliases"].get(ALIAS[STAGING]) == number:
            self._drop_alias(name, STAGING)
        return archived

    def describe(self, name, number, text):
        self._rest.patch("model-versions/update", name=name, version=number, description=text)

    def _create(self, name, run_id, source, tags, description):
        self._create_model(name)
        pairs = [{"key": key, "value": str(value)} for key, value in {**tags, RUN_TAG: run_id}.items()]
        answer = self._rest.post(
            "model-versions/create", name=name, tags=pairs, description=description, **source
        )
        return answer["model_version"]

    def _create_model(self, name):
        try:
            self._rest.post("registered-models/create", name=name)
        except RestError as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _model(self, name):
        """{aliases: {alias: number}, latest: [version]}; both empty while the model does not exist."""
        try:
            model = self._rest.get("registered-models/get", name=name)["registered_model"]
        except RestError as error:
            if error.code != "RESOURCE_DOES_NOT_EXIST":
                raise
            model = {}
        aliases = {entry["alias"]: entry["version"] for entry in model.get("aliases", [])}
        return {"aliases": aliases, "latest": model.get("latest_versions", [])}

    def _stage_as_new(self, name, version):
        """Staging, by stage and alias, unless the version has moved on or a newer one is there."""
        number, aliases = version["version"], self._model(name)["aliases"]
        moved_on = version.get("current_stage", "None") not in ("None", STAGING)
        if moved_on or aliases.get(ALIAS[PRODUCTION]) == number:
            return
        self._transition(name, number, STAGING)
        if int(aliases.get(ALIAS[STAGING], 0)) <= int(number):
            self._set_alias(name, number, STAGING)

    def _production_now(self, name):
        """The numbers of the Production versions, by stage or by alias, that MLflow shows at this moment."""
        model = self._model(name)
        by_stage = {v["version"] for v in model["latest"] if v.get("current_stage") == PRODUCTION}
        by_alias = {number for alias, number in model["aliases"].items() if alias == ALIAS[PRODUCTION]}
        return by_stage | by_alias

    def _production(self, name):
        """All Production versions of a model, each given out once; the caller archives it before the next.

        MLflow shows the latest version of each stage only, so the one behind it comes up in the next look.
        """
        seen = set()
        while new := self._production_now(name) - seen:
            yield from sorted(new, key=int)
            seen |= new

    def _transition(self, name, number, stage):
        try:
            self._rest.post(
                "model-versions/transition-stage",
                name=name, version=number, stage=stage, archive_existing_versions=stage == PRODUCTION,
            )
        except RestError as error:
            if error.status != 404 or error.code == "RESOURCE_DOES_NOT_EXIST":
                raise  # else this server knows no stages any more

    def _set_alias(self, name, number, stage):
        self._rest.post("registered-models/alias", name=name, alias=ALIAS[stage], version=number)

    def _drop_alias(self, name, stage):
        if ALIAS[stage] in self._model(name)["aliases"]:
            self._rest.delete("registered-models/alias", name=name, alias=ALIAS[stage])
