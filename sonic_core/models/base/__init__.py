"""sonic-base: the published Sonic, a video diffusion UNet that hears."""
