"""The host's door: ComfyUI reads this file, finds the nodes by name and the canvas files in ``web``.

Nothing heavy is imported here; each node imports the engine when it runs.
"""

from pathlib import Path

WEB_DIRECTORY = "./web"

if __package__:  # empty when a tool imports this file by its bare name, outside any host
    from .nodes.direction import Direct
    from .nodes.export import VideoCombine
    from .nodes.generate import Sampler
    from .nodes.host import settle_in
    from .nodes.load import LoadAudio, LoadAudioFolder, ModelLoader
    from .nodes.portrait import PreData
    from .nodes.refine import LipSyncRefine, TemporalSmooth
    from .nodes.report import Judge
    from .nodes.speakers import AddSpeaker
    from .nodes.voice import VoiceAlone
    from .nodes.whole import TalkingVideo

    NODE_CLASS_MAPPINGS = {
        "SonicTalkingPortrait": TalkingVideo,
        "SonicModelLoader": ModelLoader,
        "SonicLoadAudio": LoadAudio,
        "SonicLoadAudioFolder": LoadAudioFolder,
        "SonicVoice": VoiceAlone,
        "SonicSpeaker": AddSpeaker,
        "SONIC_PreData": PreData,
        "SonicDirection": Direct,
        "SonicSampler": Sampler,
        "LipSyncRefine": LipSyncRefine,
        "TemporalSmooth": TemporalSmooth,
        "VideoCombine": VideoCombine,
        "SonicReport": Judge,
    }
    NODE_DISPLAY_NAME_MAPPINGS = {
        "SonicTalkingPortrait": "Sonic Talking Portrait",
        "SonicModelLoader": "Sonic Model Loader",
        "SonicLoadAudio": "Sonic Load Audio",
        "SonicLoadAudioFolder": "Sonic Load Audio Folder",
        "SonicVoice": "Sonic Voice",
        "SonicSpeaker": "Sonic Speaker",
        "SONIC_PreData": "Sonic PreData",
        "SonicDirection": "Sonic Direction",
        "SonicSampler": "Sonic Sampler",
        "LipSyncRefine": "Sonic Lip Sync Refine",
        "TemporalSmooth": "Sonic Temporal Smooth",
        "VideoCombine": "Sonic Video Combine",
        "SonicReport": "Sonic Report",
    }
    comfy_entrypoint = settle_in(Path(__file__).resolve().parent, NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS)
    if comfy_entrypoint is None:  # of two ways to its nodes a host takes V1's, so only one of them is left
        del comfy_entrypoint
    else:
        del NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
