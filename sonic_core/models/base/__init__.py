"""sonic-base: the published Sonic, a video diffusion UNet conditioned on audio."""
