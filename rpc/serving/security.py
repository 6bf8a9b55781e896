"""A server's security, built from its settings: certificate, authentication and authorization."""

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from process.addresses import is_loopback
from process.certificate_files import CertificateFiles
from process.configuration import refuse
from rpc.answers.error_interceptor import CallHooks
from rpc.callers.authentication import AuthenticationRules, Authenticator
from rpc.callers.authorization import Authorization, RequiredRoles
from rpc.callers.connections import ConnectionCallers
from rpc.callers.limits import Limits
from rpc.callers.signed_token_rules import SignedTokenRules
from rpc.callers.watch_tokens import WatchTokens
from rpc.settings import ServerSettings

if TYPE_CHECKING:
    from rpc.callers.tls import ServerCertificate

_log = structlog.get_logger()


class ServerSecurity:
    """The certificate, the authenticator and the hooks of a server.

    Args:
        settings: the settings of the server.
        required_roles: the role that each method (/package.Service/Method) requires.
        limits: the limits of callers for whom the file of tokens has none, or of connections.
        watch_tokens: verifies watch tokens; None: there are none.

    Raises:
        SystemExit: with code 78, if a certificate, a key or a file of tokens cannot be used.

    """

    def __init__(
        self,
        settings: ServerSettings,
        required_roles: RequiredRoles,
        limits: Limits,
        watch_tokens: WatchTokens | None = None,
    ) -> None:
        rules = _rules(settings, limits, watch_tokens)
        try:
            self.certificate = _certificate(settings)
            self.authenticator = Authenticator(rules) if settings.requires_tokens else None
        except ValueError as error:
            refuse(str(error))
        self._connections = ConnectionCallers(limits)
        self._required_roles = required_roles

    def hooks(self, telemetry: CallHooks) -> CallHooks:
        """Return the hooks that telemetry has, and those that find and check the caller of each call."""
        if self.authenticator is None:
            return replace(telemetry, enter_of=self._connections.enter_of)
        authorization = Authorization(self.authenticator.principal, self._required_roles)
        return replace(telemetry, authorize=authorization.authorize)

    @property
    def is_stale(self) -> bool:
        """Whether a file was replaced by one that cannot be used, so that its old content stays in use."""
        return any(one is not None and one.is_stale for one in (self.certificate, self.authenticator))

    @property
    def certificate_expiry(self) -> float | None:
        """When the certificate in use expires, in Unix time; None without TLS."""
        return self.certificate.expiry.timestamp() if self.certificate is not None else None

    def warn(self, listen: str) -> None:
        """Log a warning if other machines can reach an address without a token or without encryption."""
        if is_loopback(listen):
            return
        if self.authenticator is None and not self._requires_client_certificates:
            _log.warning("callers need neither a token nor a certificate", listen=listen)
        elif self.certificate is None:
            _log.warning("tokens are sent in plaintext: encrypt the network, or set up TLS", listen=listen)

    @property
    def _requires_client_certificates(self) -> bool:
        return self.certificate is not None and self.certificate.requires_client_certificates


def _certificate(settings: ServerSettings) -> "ServerCertificate | None":
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        return None
    from rpc.callers.tls import ServerCertificate  # noqa: PLC0415  # it imports cryptography

    files = CertificateFiles(
        settings.tls_certificate_file, settings.tls_key_file, settings.tls_client_ca_file
    )
    return ServerCertificate(files)


def _rules(settings: ServerSettings, limits: Limits, watch_tokens: WatchTokens | None) -> AuthenticationRules:
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
    return AuthenticationRules(settings.tokens_file, signed, limits, watch_tokens)
