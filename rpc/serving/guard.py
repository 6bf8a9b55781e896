"""From the settings of a server to what guards it: certificate, authenticator, gate; else exit 78."""

from collections.abc import Mapping

import structlog

from process.addresses import is_loopback
from process.configuration import refuse
from rpc.callers.authentication import AuthenticationRules, Authenticator
from rpc.callers.authorization import Gate
from rpc.callers.jwt_tokens import SignedTokenRules
from rpc.callers.limits import Limits
from rpc.callers.principal import Role
from rpc.callers.tls import ServerCertificate, TlsFiles
from rpc.settings import ServerSettings

_log = structlog.get_logger()


class Guard:
    """What stands between a server and its callers."""

    def __init__(self, settings: ServerSettings, needed: Mapping[str, Role], limits: Limits) -> None:
        """Read certificates and tokens; exit 78 if they cannot be used."""
        rules = _rules(settings, limits)
        try:
            self.certificate = _certificate(settings)
            self.authenticator = Authenticator(rules) if rules.ask_for_tokens else None
        except ValueError as error:
            refuse(str(error))
        self.interceptors = () if self.authenticator is None else (Gate(self.authenticator, needed),)

    @property
    def is_stale(self) -> bool:
        """Whether a file was changed into one that cannot be used, so that an older one is in use."""
        return any(one is not None and one.is_stale for one in (self.certificate, self.authenticator))

    @property
    def certificate_expiry(self) -> float | None:
        """When the certificate in use expires, as Unix time; None without TLS."""
        return self.certificate.expiry.timestamp() if self.certificate is not None else None

    def warn(self, listen: str) -> None:
        """Say what is open to whom, if it is open to other machines."""
        if is_loopback(listen):
            return
        if self.authenticator is None and (self.certificate is None or not self.certificate.asks_clients):
            _log.warning("no caller is asked for a token or a certificate", listen=listen)
        elif self.certificate is None:
            _log.warning("tokens are sent in plaintext: encrypt on the way, or set up TLS", listen=listen)


def _certificate(settings: ServerSettings) -> ServerCertificate | None:
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        return None
    files = TlsFiles(settings.tls_certificate_file, settings.tls_key_file, settings.tls_client_ca_file)
    return ServerCertificate(files)


def _rules(settings: ServerSettings, limits: Limits) -> AuthenticationRules:
    signed = None
    if (
        settings.jwt_key_file is not None
        and settings.jwt_algorithm is not None
        and settings.jwt_audience is not None
        and settings.jwt_issuer is not None
    ):
        signed = SignedTokenRules(
            settings.jwt_key_file, settings.jwt_algorithm, settings.jwt_audience, settings.jwt_issuer
        )
    return AuthenticationRules(settings.tokens_file, signed, limits)
