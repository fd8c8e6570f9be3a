"""Environments of gymnasium in the form of the old gym, which keras-rl knows."""

from __future__ import annotations

from typing import Any

__all__ = ["OldGym", "gym"]


class OldGym:
    """An environment whose `reset` gives the observation and whose `step` gives four values.

    env   the environment of gymnasium; what is not named here is asked of it
    """

    def __init__(self, env: Any) -> None:
        self.env = env
        self._seed: int | None = None

    def seed(self, seed: int | None = None) -> list[int | None]:
        """Settle the random numbers from the next `reset` on."""
        self._seed = seed
        return [seed]

    def reset(self) -> Any:
        """Begin an episode: its first observation."""
        seed, self._seed = self._seed, None
        observation, _ = self.env.reset(seed=seed)
        return observation

    def step(self, action: Any) -> tuple[Any, Any, bool, dict[str, Any]]:
        """One step: observation, reward, whether the episode ends here, and what else the environment tells."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, bool(terminated or truncated), info

    def render(self, mode: str = "human", close: bool = False) -> Any:
        """What the environment draws, in the mode that it was made with."""
        return None if close else self.env.render()

    def close(self) -> None:
        """Let go of what the environment holds."""
        self.env.close()

    def __getattr__(self, name: str) -> Any:
        if name == "env":  # not there yet, while an object is copied or unpickled
            raise AttributeError(name)
        return getattr(self.env, name)


def gym(env: Any) -> OldGym:
    """A gymnasium environment as keras-rl's agents take it: `agent.fit(gym(gymnasium.make("Pendulum-v1")), 50_000)`."""
    return OldGym(env)
