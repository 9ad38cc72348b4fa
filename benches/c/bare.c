/* A program that ends at once, without a C library. */
void _start(void);
void _start(void)
{
#if defined __x86_64__
    __asm__ volatile("xor %edi, %edi; mov $231, %eax; syscall");
#elif defined __aarch64__
    __asm__ volatile("mov x0, 0; mov x8, 94; svc 0");
#elif defined __riscv
    __asm__ volatile("li a0, 0; li a7, 94; ecall");
#else
#error "exit_group is not known for this machine"
#endif
    __builtin_unreachable();
}
