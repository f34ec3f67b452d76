"""What the blend-shape model is trained with; the command is training.blendshapes."""
