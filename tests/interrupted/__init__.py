"""Every file that is written is interrupted at each operation: what is read next is the old or the new, whole."""
